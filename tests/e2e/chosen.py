"""The cluster that the options of pytest choose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clusters import Cluster, EmbeddedCluster
from realcluster import RealCluster


@contextmanager
def chosen(
    config: pytest.Config, folder: Path, operators: int = 1, **settings: str
) -> Iterator[Cluster]:
    """A new embedded cluster in a folder; or the one of `--kubeconfig`, with the operators that run
    there. They are told `settings` until the block is left: mark such tests `alone`, for on a real
    cluster that holds for every namespace."""
    kubeconfig = config.getoption("--kubeconfig")
    if kubeconfig:
        real = RealCluster(Path(kubeconfig), Path(config.getoption("--volumes")))
        if not settings:
            yield real
            return
        with real.told(**settings):
            yield real
        return
    embedded = EmbeddedCluster(folder, operators, **settings)
    try:
        yield embedded
    finally:
        embedded.down(config.getoption("--requests"))
