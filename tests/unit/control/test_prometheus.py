"""Numbers from Prometheus, or a reason why there are none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pawl.control.prometheus import Prometheus, PrometheusError
from pawl.errors import UserError


class Server:
    """Answers every query with `body`."""

    def __init__(self) -> None:
        self.body: bytes = b""
        self.status = 200
        self.queries: list[Any] = []

    async def answer(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.queries.append(form["query"] if len(form) == 1 else dict(form))
        return web.Response(body=self.body, status=self.status)


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Prometheus]:
    app = web.Application()
    for path in ("query", "query_range"):
        app.router.add_post(f"/prometheus/api/v1/{path}", server.answer)
    async with TestServer(app) as running:
        made = Prometheus(str(running.make_url("/prometheus/")))
        yield made
        await made.close()


def vector(*values: str) -> dict[str, Any]:
    return {"resultType": "vector", "result": [{"metric": {}, "value": [1, v]} for v in values]}


def ok(data: Any) -> bytes:
    return orjson.dumps({"status": "success", "data": data})


@pytest.mark.parametrize(
    ("data", "value"),
    [
        pytest.param(vector("0.25"), 0.25, id="a vector of one"),
        pytest.param(vector(), None, id="no data"),
        pytest.param(vector("NaN"), None, id="not a number"),
        pytest.param(vector("+Inf"), None, id="infinite"),
        pytest.param({"resultType": "scalar", "result": [1, "-3e2"]}, -300.0, id="a scalar"),
    ],
)
async def test_one_number(server: Server, client: Prometheus, data: Any, value: float | None):
    server.body = ok(data)
    assert await client.value('up{job="a&b"}') == value
    assert server.queries == ['up{job="a&b"}']


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(ok(vector("1", "2")), "2 series", id="two series"),
        pytest.param(ok({"resultType": "matrix", "result": []}), "a matrix", id="a range"),
        pytest.param(ok(None), "no number", id="no data"),
        pytest.param(ok({"resultType": "vector", "result": [{}]}), "no number", id="no value"),
        pytest.param(ok({"resultType": "scalar", "result": [1]}), "no number", id="half a pair"),
        pytest.param(ok(vector("many")), "no number", id="a word"),
        pytest.param(b"<html>502</html>", "did not answer", id="a proxy"),
        pytest.param(b"[]", "no Prometheus", id="another JSON"),
        pytest.param(b" " * (2 << 20), "did not answer", id="too much"),
        pytest.param(
            orjson.dumps({"status": "error", "error": "parse error at char 3"}),
            "parse error at char 3",
            id="a query that is wrong",
        ),
    ],
)
async def test_no_number(server: Server, client: Prometheus, body: bytes, words: str):
    server.body = body
    with pytest.raises(PrometheusError, match=words):
        await client.value("up")


def matrix(*values: Any) -> dict[str, Any]:
    return {"resultType": "matrix", "result": [{"metric": {"cell": "a"}, "values": values}]}


async def test_series_over_time(server: Server, client: Prometheus):
    server.body = ok(matrix([60, "1"], [120.0, "2.5"], [180, "NaN"], [240, "+Inf"]))
    (found,) = await client.ranged("up", 60, 240, 60)
    assert (found.labels, found.values) == ({"cell": "a"}, ((60, 1.0), (120, 2.5)))
    assert server.queries == [{"query": "up", "start": "60", "end": "240", "step": "60"}]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(ok(vector("1")), "no series", id="not a range"),
        pytest.param(ok(None), "no series", id="no data"),
        pytest.param(ok(matrix([60])), "no series", id="half a pair"),
        pytest.param(ok(matrix([60, "many"])), "no series", id="a word"),
        pytest.param(ok({"resultType": "matrix", "result": [{}]}), "no series", id="no values"),
        pytest.param(b" " * (17 << 20), "did not answer", id="too much"),
    ],
)
async def test_no_series(server: Server, client: Prometheus, body: bytes, words: str):
    server.body = body
    with pytest.raises(PrometheusError, match=words):
        await client.ranged("up", 60, 240, 60)


async def test_nobody_there():
    client = Prometheus("http://127.0.0.1:9")
    with pytest.raises(PrometheusError, match="did not answer"):
        await client.value("up")
    await client.close()


def test_its_address_is_checked():
    with pytest.raises(UserError, match="PAWL_PROMETHEUS"):
        Prometheus("prometheus:9090")
