"""The same of two API servers: a real one, skipped where it is not installed, and the embedded."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from realapi import Api, start, start_embedded

_PATH = os.pathsep.join(filter(None, map(os.environ.get, ("PAWL_KUBE_BIN", "PATH"))))


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One for all tests."""
    server = os.environ.get("KUBE_APISERVER") or shutil.which("kube-apiserver", path=_PATH)
    if not server or not shutil.which("etcd") or not shutil.which("kubectl"):
        pytest.skip(
            "needs kube-apiserver (PATH, PAWL_KUBE_BIN or KUBE_APISERVER), etcd and kubectl"
        )
    with ExitStack() as stack:
        yield start(stack, server, tmp_path_factory.mktemp("apiserver"))


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl")
    with ExitStack() as stack:
        yield start_embedded(stack, tmp_path_factory.mktemp("embedded"))


@pytest.fixture(scope="module", params=["embedded", "real"])
def api(request: pytest.FixtureRequest) -> Api:
    """Each of the two."""
    found: Api = request.getfixturevalue(request.param)
    return found
