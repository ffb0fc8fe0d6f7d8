"""One cluster a session (and pytest-xdist worker), one namespace a test.

`--kubeconfig PATH` takes a cluster on which Pawl is installed instead of an embedded one;
`--volumes DIR` is then a folder of the node (this machine) for hostPath volumes.
`--requests DIR` keeps what the operator asked of the embedded clusters, for `rights.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from chosen import chosen
from clusters import Cluster, EmbeddedCluster
from harness import Space


@pytest.fixture(scope="session")
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    with chosen(request.config, tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def space(cluster: Cluster) -> Iterator[Space]:
    made = Space(cluster)
    made.open()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def cpu_metrics(cluster: Cluster) -> None:
    """For autoscalers. The embedded cluster's know the CPU of pods without an API for it."""
    if isinstance(cluster, EmbeddedCluster):
        return
    if "metrics.k8s.io/" not in cluster.kubectl("api-versions"):
        pytest.skip("needs a metrics API, which this cluster has not")
