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

sys.path.insert(0, str(Path(__file__).parents[2] / "unit"))

from collector import collecting

#: As `pawl operator`, and what libraries have to say is told too.
OPERATOR = """
import asyncio, logging
from pawl.control.operator import run
from pawl.control.settings import from_environment

logging.basicConfig(level=logging.INFO)
asyncio.run(run(from_environment()))
"""


async def test_a_termination_ends_it_at_once_and_in_order(tmp_path: Path):
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
        assert "Traceback" not in said


async def test_it_tells_what_it_does_as_metrics_and_as_traces(tmp_path: Path):
    port = free_port()
    async with Cluster(tmp_path / "cluster") as cluster:
        with collecting() as collector:
            environment = {
                **os.environ,
                **collector.env,
                "KUBECONFIG": str(cluster.kubeconfig),
                "PAWL_STORE": (tmp_path / "store").as_uri(),
                "PAWL_METRICS_ADDRESS": f"127.0.0.1:{port}",
            }
            operator = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "pawl", "operator",
                env=environment, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            async with asyncio.timeout(60):
                page = await leads(f"http://127.0.0.1:{port}/metrics")
                operator.send_signal(signal.SIGTERM)
                assert await operator.wait() == 0
            names = {span.name for span in collector.spans}
    listed = 'pawl_operator_api_requests_total{code="200",resource="modeldeployments",verb="list"}'
    assert float(page[listed]) >= 1
    assert page['pawl_operator_cache_objects{resource="modeldeployments"}'] == "0"
    assert "list modeldeployments" in names


async def leads(url: str) -> dict[str, str]:
    """The samples of /metrics, once the operator acts."""
    async with httpx.AsyncClient(trust_env=False) as http:
        while True:
            try:
                lines = (await http.get(url)).text.splitlines()
            except httpx.HTTPError:
                lines = []
            page = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
            if page.get("pawl_operator_leader") == "1.0":
                return page
            await asyncio.sleep(0.1)


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
