"""Two clusters: `--kubeconfig` (else an embedded one) and `--other`, which is the measure.

The test's own kind, Widget, is installed on both and removed at the end; Pawl's kinds are installed
where they are not.
"""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from both import APPLY, MERGE, Both, Cluster
from objects import WIDGET, WIDGETS, crd

CRDS = Path(__file__).parents[2] / "crds"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture(scope="session")
def clusters(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cluster, Cluster]]:
    other = request.config.getoption("--other")
    if not other:
        pytest.skip("compares two clusters: give the kubeconfig of the second by --other")
    ours = request.config.getoption("--kubeconfig")
    embedded = None if ours else tmp_path_factory.mktemp("cluster") / "kubeconfig"
    if embedded is not None:
        _local("up", "--detach", "--no-operator", "--kubeconfig", str(embedded))
    found = Cluster(Path(ours or embedded)), Cluster(Path(other))
    try:
        both = Both(found, "default")
        for path in sorted(CRDS.glob("*.yaml")):
            for document in yaml.safe_load_all(path.read_text()):
                _install(both, document)
        _install(both, crd())
        yield found
        for cluster in found:
            cluster.send("DELETE", f"{_CRDS}/{WIDGETS}", {}, None, {})
        both.wait(f"{_CRDS}/{WIDGETS}", 404)
    finally:
        for cluster in found:
            cluster.http.close()
        if embedded is not None:
            _local("down", "--kubeconfig", str(embedded))


@pytest.fixture
def both(clusters: tuple[Cluster, Cluster]) -> Iterator[Both]:
    name = f"t-{uuid.uuid4().hex[:8]}"
    namespaces = "/api/v1/namespaces"
    made = Both(clusters, name)
    for side in clusters:
        side.send("POST", namespaces, {}, {"metadata": {"name": name}}, _JSON)
    # controllers put these into every namespace
    made.wait("configmaps/kube-root-ca.crt", 200)
    made.wait("serviceaccounts/default", 200)
    yield Both(clusters, name)
    for side in clusters:
        side.send("DELETE", f"{namespaces}/{name}", {}, None, {})
        for path in ("configmaps", WIDGET):
            _release(side, made.path(path))


_JSON = {"Content-Type": "application/json"}


def _release(side: Cluster, path: str) -> None:
    """A test that failed may have left a finalizer, and that would hold the namespace."""
    for item in side.send("GET", path, {}, None, {}).body["items"]:
        if item["metadata"].get("finalizers"):
            patch = {"metadata": {"finalizers": None}}
            name = item["metadata"]["name"]
            side.send("PATCH", f"{path}/{name}", {}, patch, {"Content-Type": MERGE})


def _install(both: Both, definition: dict[str, object]) -> None:
    name = definition["metadata"]["name"]  # type: ignore[index]
    path = f"{_CRDS}/{name}"
    query = {"fieldManager": "differential", "force": "true"}
    for side in both.clusters:
        answer = side.send("PATCH", path, query, definition, {"Content-Type": APPLY})
        assert answer.status in (200, 201), answer.body
    spec = definition["spec"]
    both.wait(
        f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}",
        200,  # type: ignore[index]
    )


def _local(*words: str) -> None:
    command = [sys.executable, "-m", "pawl", "local", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
