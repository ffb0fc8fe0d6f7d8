"""What clients say of themselves is not believed."""

from __future__ import annotations

import pytest
from client import INFER
from town import Town, route

from pawl.core.routing.route import Shadow, Sticky


async def test_a_client_does_not_choose_its_request_id(town: Town):
    (pod,) = await town.pod(7)
    await town.start(route({7: 100}))
    answers = [await town.client.ask(x_request_id="mine") for _ in range(3)]
    told = [request.headers["x-request-id"] for request in pod.of(INFER)]
    assert "mine" not in told
    assert len(set(told)) == 3
    assert told == [answer.headers["x-request-id"] for answer in answers]


@pytest.mark.parametrize(
    "path", [pytest.param(INFER, id="by weight"), pytest.param("/v2/models/churn/versions/7/infer")]
)
async def test_x_pawl_headers_are_the_routers_only(town: Town, path: str):
    (pod,) = await town.pod(7)
    await town.start(route({7: 100}, sticky=Sticky("x-user", "churn-v7.1")))
    sent = {"x_pawl_weight": "1", "x_pawl_user": "me", "x_pawl_salt": "mine", "X_Pawl_New": "1"}
    await town.client.ask(path, **sent)
    told = {k: v for k, v in pod.of(path)[0].headers.items() if k.startswith("x-pawl-")}
    assert told == ({"x-pawl-salt": "churn-v7.1"} if path == INFER else {})


async def test_clients_set_neither_timeouts_nor_retries(town: Town):
    (pod,) = await town.pod(7)
    await town.start(route({7: 100}))
    pod.behaviour = "fail"
    sent = {"x_envoy_retry_on": "5xx", "x_envoy_max_retries": "5", "x_forwarded_for": "10.0.0.1"}
    assert (await town.client.ask(**sent)).status == 500
    assert len(pod.requests) == 1
    headers = {"x_envoy_upstream_rq_timeout_ms": "1", "x_envoy_internal": "true"}
    await town.client.ask(**headers)
    assert pod.requests[-1].headers["x-envoy-expected-rq-timeout-ms"] == "30000"
    assert "x-envoy-internal" not in pod.requests[-1].headers


async def test_a_header_with_an_underscore_is_refused(town: Town):
    """Some servers would read it as the one with a dash."""
    (pod,) = await town.pod(7)
    await town.start(route({7: 100}))
    answer = await town.client.ask("/v2/models/churn/infer HTTP/1.1\r\nx_pawl_user: me\r\nx:")
    assert answer.status == 400
    assert pod.requests == []


async def test_nobody_asks_the_shadow_by_name(town: Town):
    await town.pod(7)
    (shadow,) = await town.pod(8)
    await town.start(route({7: 100, 8: None}, shadow=Shadow(8, 1)))
    answer = await town.client.ask("/v2/models/churn/versions/8/infer")
    assert answer.version == 7  # where it is "not served", 404
    assert not shadow.of("/v2/models/churn/versions/8/infer")


async def test_the_trace_that_a_client_is_in_reaches_the_server(town: Town):
    (pod,) = await town.pod(7)
    await town.start(route({7: 100}))
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await town.client.ask(traceparent=given, tracestate="a=b")
    headers = pod.requests[-1].headers
    assert (headers["traceparent"], headers["tracestate"]) == (given, "a=b")
