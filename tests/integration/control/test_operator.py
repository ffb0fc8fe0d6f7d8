"""The operator as a process: it ends when it is told to, in order and at once."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import httpx

from pawl.local.cluster import Cluster

#: As `pawl operator`, and what kopf has to say is told too.
OPERATOR = """
import asyncio, logging
from pawl.control.operator import run
from pawl.control.settings import from_environment

logging.basicConfig(level=logging.INFO)
asyncio.run(run(from_environment()))
"""


async def test_a_termination_ends_it_at_once_and_in_order(tmp_path: Path):
    """Kopf would wait for the operator's own tasks, and raise what went wrong in them."""
    address = f"http://127.0.0.1:{free_port()}/healthz"
    async with Cluster(tmp_path / "cluster") as cluster:
        environment = {
            **os.environ,
            "KUBECONFIG": str(cluster.kubeconfig),
            "PAWL_STORE": (tmp_path / "store").as_uri(),
            "PAWL_LIVENESS_URL": address,
        }
        operator = await asyncio.create_subprocess_exec(
            sys.executable, "-c", OPERATOR,
            env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        assert operator.stdout is not None
        async with asyncio.timeout(60):
            await lives(address)
            operator.send_signal(signal.SIGTERM)
            said = (await operator.stdout.read()).decode()
            assert await operator.wait() == 0, said
        assert "Signal SIGTERM is received" not in said  # as kopf says when it is in charge
        assert "Traceback" not in said


async def lives(address: str) -> None:
    """Returns when the liveness probe is answered."""
    async with httpx.AsyncClient(trust_env=False) as http:
        while True:
            try:
                if (await http.get(address)).status_code == 200:
                    return
            except httpx.HTTPError:
                await asyncio.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
