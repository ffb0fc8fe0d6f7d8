"""GET /metrics: what was counted and what there is, on one page."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pawl.control.cache import Cache
from pawl.control.exposition import serve
from pawl.control.kinds import DEPLOYMENTS
from pawl.control.metrics import LEADER
from pawl.control.queue import Queue
from pawl.control.settings import Address
from pawl.errors import UserError

ITEM: dict[str, Any] = {
    "apiVersion": "pawl.dev/v1alpha1",
    "kind": "Deployment",
    "metadata": {"name": "churn", "namespace": "ml", "uid": "u", "resourceVersion": "1"},
    "spec": {"model": "churn"},
}


def free_address() -> Address:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Address("127.0.0.1", int(probe.getsockname()[1]))


@pytest.fixture
def cache() -> Cache:
    made = Cache(None, (), lambda _: None)  # type: ignore[arg-type] - nothing is listed
    made.learn(DEPLOYMENTS, ITEM)
    return made


@pytest.mark.parametrize(
    "leads", [pytest.param(True, id="leader"), pytest.param(False, id="standby")]
)
async def test_the_page_is_prometheus_text_and_tells_objects_by_the_leader(
    cache: Cache, leads: bool
):
    LEADER.set(leads)
    address = free_address()
    async with serve(address, cache, Queue()), httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"http://{address.host}:{address.port}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {
        sample.name: sample
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert found["pawl_operator_leader"].value == leads
    assert ("pawl_deployment_info" in found) == leads


async def test_an_address_that_is_taken_is_told(cache: Cache):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = Address("127.0.0.1", int(other.getsockname()[1]))
        with pytest.raises(UserError, match=f"/metrics .* {address.host}:{address.port}"):
            async with serve(address, cache, Queue()):
                pass
