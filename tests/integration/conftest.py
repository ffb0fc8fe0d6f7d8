"""An embedded cluster without Pawl's CRDs, for tests that install them in one way or another."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import yaml

from pawl.local.cluster import Cluster

LIMIT = 60.0


class Bare:
    """The cluster, as kubectl and Helm reach it."""

    def __init__(self, cluster: Cluster) -> None:
        self.kubeconfig = cluster.kubeconfig
        # A discovery cache of its own: another cluster may have had the same address.
        self._env = {"PATH": os.environ["PATH"], "HOME": str(cluster.data.path)}

    def kubectl(self, *words: str, stdin: str | None = None, fails: bool = False) -> str:
        """What it printed; its errors when it must fail."""
        done = subprocess.run(
            ["kubectl", f"--kubeconfig={self.kubeconfig}", *words],
            input=stdin, capture_output=True, text=True, timeout=LIMIT, check=False,
            env=self._env,
        )  # fmt: skip
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    def apply(self, *items: dict[str, Any], fails: bool = False) -> str:
        """kubectl apply of these objects."""
        return self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(items), fails=fails)

    def items(self, kinds: str, *words: str) -> list[dict[str, Any]]:
        """Objects of some kinds in all namespaces."""
        found = json.loads(self.kubectl("get", kinds, "-A", "-o", "json", *words))
        return found["items"]  # type: ignore[no-any-return]

    def until(self, what: str, condition: Callable[[], Any], limit: float = LIMIT) -> Any:
        """The first truth that `condition` gives."""
        end = time.monotonic() + limit
        while not (found := condition()):
            assert time.monotonic() < end, f"not in {limit:.0f} s: {what}"
            time.sleep(0.1)
        return found


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Bare]:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    served: Future[Bare] = Future()
    ended: Future[None] = Future()
    thread = threading.Thread(
        target=asyncio.run, args=[_serve(tmp_path / "cluster", served, ended)]
    )
    thread.start()
    try:
        yield served.result(LIMIT)
    finally:
        ended.set_result(None)
        thread.join()


async def _serve(data: Path, served: Future[Bare], ended: Future[None]) -> None:
    try:
        async with Cluster(data, crds=False) as cluster:
            served.set_result(Bare(cluster))
            await asyncio.wrap_future(ended)
    except BaseException as error:
        if not served.done():
            served.set_exception(error)
        raise
