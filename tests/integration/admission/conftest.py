"""A real API server, for what only it can show. Skipped where it is not installed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from realapi import RealApi, start


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealApi]:
    """One for all tests."""
    server = os.environ.get("KUBE_APISERVER") or shutil.which("kube-apiserver")
    if not server or not shutil.which("etcd") or not shutil.which("kubectl"):
        pytest.skip("needs kube-apiserver (PATH or KUBE_APISERVER), etcd and kubectl")
    with ExitStack() as stack:
        yield start(stack, server, tmp_path_factory.mktemp("apiserver"))
