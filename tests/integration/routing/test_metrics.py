"""What Envoy exports by the names that dashboards and alerts use (docs/metrics.md)."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families
from town import Town, route

from pawl.constants import ROUTER_STATE_PORT

sys.path.insert(0, str(Path(__file__).parents[2] / "unit/observed"))

from exported import ROUTER


async def test_the_statistics_that_are_used_are_there_with_their_labels(town: Town):
    (pod,) = await town.pod(7)
    await town.start(route({7: 100}))
    await town.client.many([{}] * 5)
    pod.behaviour = "fail"
    await town.client.many([{}] * 3)
    async with httpx.AsyncClient(trust_env=False) as http:
        url = f"http://{town.address}:{ROUTER_STATE_PORT}/stats/prometheus"
        page = (await http.get(url)).text
    # The parser adds an ending to the names of counters that Envoy's have not.
    samples = [
        (sample.name.removesuffix("_total"), sample.labels, sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    ]
    found = {
        (name, *(labels[label] for label in ROUTER[name])): value
        for name, labels, value in samples
        if name in ROUTER
    }
    assert {name for name, *_ in found} == ROUTER.keys()
    assert found["envoy_cluster_upstream_rq_completed", "v7"] == 8
    assert found["envoy_cluster_upstream_rq_xx", "v7", "5"] == 3
    assert found["envoy_http_downstream_rq_xx", "http", "5"] == 3
