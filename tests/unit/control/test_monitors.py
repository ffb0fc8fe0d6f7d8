"""What is heard of server pods: whole pages, of the right version, up to where all of them know."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pawl.control import monitors
from pawl.control.monitors import Monitors
from pawl.core.measurement import Arm
from pawl.stats.shadow import Pair

BEGIN, END = 1000, 1002
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def page(version: int = 7, end: int = END, **more: Any) -> dict[str, Any]:
    values = {
        "format": 1,
        "model": "churn",
        "version": version,
        "to": end,
        "requests": 10,
        "errors": 1,
        "refused": 2,
        "latency": {"40": 8, "90": 2},
        "valueKind": "logit",
        "values": {"127": 10},
        "users": [[3, 6, 1], [500, 4, 0]],
    }
    return values | more


class Town:
    """Pods on loopback addresses of their own."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.asked: list[tuple[str, str, str, str]] = []
        self._servers: list[TestServer] = []

    async def pod(self, answer: Answer | Any, version: int = 7, **status: Any) -> dict[str, Any]:
        """The object of a pod that answers so (a page, or what becomes of a request)."""
        address = f"127.3.0.{len(self._servers) + 1}"

        async def handle(request: web.Request) -> web.StreamResponse:
            query = request.query
            self.asked.append((address, request.path, query["from"], query["to"]))
            if callable(answer):
                return await answer(request)  # type: ignore[no-any-return]
            return web.Response(body=orjson.dumps(answer))

        app = web.Application()
        app.router.add_get("/{name}", handle)
        server = TestServer(app, host=address, port=self.port)
        await server.start_server()
        self._servers.append(server)
        return {
            "metadata": {
                "name": f"pod-{address}",
                "labels": {"pawl.dev/version": str(version), "pawl.dev/model": "churn"},
            },
            "status": {"phase": "Running", "podIP": address} | status,
        }

    async def close(self) -> None:
        for server in self._servers:
            await server.close()


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    made = Town()
    yield made
    await made.close()


@pytest.fixture
async def session(town: Town, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Monitors]:
    monkeypatch.setattr(monitors, "_TIMEOUT", monitors.aiohttp.ClientTimeout(total=0.5))
    made = Monitors(town.port)
    yield made
    await made.close()


async def test_pods_of_a_version_add_up(town: Town, session: Monitors):
    pods = [await town.pod(page()), await town.pod(page(users=[[3, 5, 5]], requests=5))]
    arms, end = await session.arms({7: pods, 8: []}, BEGIN, END)
    assert end == END
    assert arms[8] == Arm()
    assert arms[7] == Arm(
        pods=2,
        requests=15,
        errors=6,
        latency={40: 16, 90: 4},
        values={"127": 20},
        users={3: (11, 6), 500: (4, 0)},
    )
    assert {asked[1:] for asked in town.asked} == {("/monitor", "1000", "1002")}


async def test_a_page_of_classes_is_counted_by_their_names(town: Town, session: Monitors):
    pod = await town.pod(
        page(valueKind=None, categories=["no", "yes"], scores=[5, 4, 1, 0], values={})
    )
    arms, _ = await session.arms({7: [pod]}, BEGIN, END)
    assert arms[7].values == {"no": 5, "yes": 4, "(other)": 1}


async def hang(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    return web.Response()


async def refuse(_: web.Request) -> web.StreamResponse:
    return web.Response(status=503, body=orjson.dumps(page()))


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(6):
        await response.write(b" " * (1 << 20))
    await response.write(orjson.dumps(page()))
    return response


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(hang, id="hangs"),
        pytest.param(refuse, id="refuses"),
        pytest.param(endless, id="does not end"),
        pytest.param(["no", "page"], id="garbage"),
        pytest.param(None, id="null"),
        pytest.param(page(format=2), id="another format"),
        pytest.param(page(version=9), id="another version"),
        pytest.param(page(version="7"), id="a version that is no number"),
        pytest.param(page(model="fraud"), id="another model"),
        pytest.param({k: v for k, v in page().items() if k != "latency"}, id="a part is missing"),
        pytest.param(page(requests=2), id="more errors than requests"),
        pytest.param(page(requests=-1, errors=-1), id="less than nothing"),
        pytest.param(page(requests=True, errors=0, refused=0), id="no number"),
        pytest.param(page(latency={"284": 1}), id="a bucket that there is not"),
        pytest.param(page(latency={"x": 1}), id="a bucket that is no number"),
        pytest.param(page(latency=[1, 2]), id="no histogram"),
        pytest.param(page(values={"1": 0.5}), id="half an answer"),
        pytest.param(page(users=[[512, 1, 0]]), id="a bucket of users that there is not"),
        pytest.param(page(users=[[1, 1, 2]]), id="a user who fails too often"),
        pytest.param(page(users=[[1, 1]]), id="a short row"),
        pytest.param(page(feedback={"7": {"n": 1, "wrong": 2}}), id="too much wrong"),
        pytest.param(page(feedback={"7": {"wrong": 0}}), id="feedback of nothing"),
        pytest.param(
            page(feedback={"7": {"n": 1, "absoluteError": {"1024": 1}}}), id="an error without bin"
        ),
        pytest.param(page(feedback=[]), id="no feedback"),
        pytest.param(page(to="now"), id="no end"),
    ],
)
async def test_a_pod_that_says_nothing_sensible_is_left_out(
    town: Town, session: Monitors, answer: Any
):
    pods = [await town.pod(answer), await town.pod(page())]
    arms, end = await session.arms({7: pods}, BEGIN, END)
    assert (arms[7].pods, arms[7].requests, arms[7].errors, end) == (1, 10, 3, END)
    assert (arms[7].labelled, arms[7].users) == (0, {3: (6, 1), 500: (4, 0)})


async def test_a_page_that_comes_in_pieces_is_read_whole(town: Town, session: Monitors):
    async def slowly(request: web.Request) -> web.StreamResponse:
        body = orjson.dumps(page(users=[[bucket, 5, 0] for bucket in range(512)]))
        response = web.StreamResponse()
        await response.prepare(request)
        for start in range(0, len(body), 1000):
            await response.write(body[start : start + 1000])
            await asyncio.sleep(0)
        return response

    arms, _ = await session.arms({7: [await town.pod(slowly)]}, BEGIN, END)
    assert len(arms[7].users) == 512


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"phase": "Pending"}, id="does not run"),
        pytest.param({"podIP": None}, id="has no address"),
    ],
)
async def test_who_cannot_answer_is_not_asked(town: Town, session: Monitors, status: Any):
    pod = await town.pod(page(), **status)
    arms, end = await session.arms({7: [pod]}, BEGIN, END)
    assert (arms, end, town.asked) == ({7: Arm()}, END, [])


async def test_feedback_counts_for_the_version_that_predicted(town: Town, session: Monitors):
    told = {
        "7": {"n": 5, "wrong": 1, "late": 3},
        "8": {"n": 4, "wrong": 2},
        "6": {"n": 9, "wrong": 9},
        "imported": {"n": 9, "wrong": 9},
    }
    numbers = {"8": {"n": 2, "sum": 1.5, "squares": 2.0, "absoluteError": {"600": 2}}}
    pods = {
        7: [await town.pod(page(feedback=told)), await town.pod(page(feedback=numbers))],
        8: [await town.pod(page(8, feedback={"7": {"n": 1, "wrong": 0}}), 8)],
    }
    arms, _ = await session.arms(pods, BEGIN, END)
    assert (arms[7].labelled, arms[7].wrong, arms[7].absolute_error) == (6, 1, {})
    assert (arms[8].labelled, arms[8].wrong, arms[8].absolute_error) == (6, 2, {600: 2})


async def test_feedback_of_a_stranger_counts_for_nobody(town: Town, session: Monitors):
    stranger = page(9, feedback={"7": {"n": 5, "wrong": 5}})
    arms, _ = await session.arms({7: [await town.pod(stranger)]}, BEGIN, END)
    assert arms == {7: Arm()}


def until(last: int) -> Answer:
    """A pod that knows the seconds before `last` only, ten requests in each."""

    async def answer(request: web.Request) -> web.StreamResponse:
        begin, end = int(request.query["from"]), min(int(request.query["to"]), last)
        end = max(begin, end)
        body = page(int(request.headers.get("x", "7")), end, requests=10 * (end - begin))
        body |= {"errors": 0, "refused": 0}
        return web.Response(body=orjson.dumps(body))

    return answer


async def test_nobody_is_counted_further_than_all_know(town: Town, session: Monitors):
    pods = [await town.pod(until(1009)), await town.pod(until(1007))]
    arms, end = await session.arms({7: pods}, BEGIN, 1010)
    assert (end, arms[7].requests, arms[7].pods) == (1007, 140, 2)
    # who goes on from there counts every second once
    arms, end = await session.arms({7: pods}, 1007, 1010)
    assert (end, arms[7].requests) == (1007, 0)


async def test_the_operators_own_clock_may_be_ahead(town: Town, session: Monitors):
    pods = [await town.pod(until(1003)), await town.pod(until(1004))]
    arms, end = await session.arms({7: pods}, BEGIN, 1060)
    assert (end, arms[7].requests, arms[7].pods) == (1003, 60, 2)


async def test_who_did_not_answer_is_not_asked_again(town: Town, session: Monitors):
    pods = [await town.pod(hang), await town.pod(until(1009))]
    arms, end = await session.arms({7: pods}, BEGIN, 1010)
    assert (end, arms[7].requests) == (1009, 90)
    assert [asked[0] for asked in town.asked].count("127.3.0.1") == 1


async def test_a_pod_that_is_far_behind_is_not_waited_for(town: Town, session: Monitors):
    pods = [await town.pod(until(2000)), await town.pod(until(1003))]
    arms, end = await session.arms({7: pods}, BEGIN, 1010)
    assert (end, arms[7].requests, arms[7].pods) == (1010, 100, 1)


async def test_nobody_speaks_of_the_future(town: Town, session: Monitors):
    pods = [await town.pod(page(end=2**50)), await town.pod(page())]
    arms, stop = await session.arms({7: pods}, BEGIN, END)
    assert (arms[7].requests, stop) == (20, END)


async def test_feedback_is_of_whole_steps_that_all_know(town: Town, session: Monitors):
    feedback = {"7": {"n": 10, "wrong": 3}}
    pods = [await town.pod(page(end=end, feedback=feedback)) for end in (BEGIN + 75, BEGIN + 120)]
    told, stop = await session.feedback({7: pods}, 7, BEGIN, BEGIN + 120, 60)
    assert ([found.wrong for found in told], stop) == ([3, 3], BEGIN + 60)
    assert town.asked[-1][2:] == (str(BEGIN), str(BEGIN + 60))
    assert await session.feedback({7: []}, 7, BEGIN, BEGIN + 120, 60) == ([], BEGIN)


async def test_not_more_pods_than_can_be_asked_in_time(town: Town, session: Monitors):
    pod = await town.pod(page())
    many = [{**pod, "metadata": {**pod["metadata"], "name": f"pod-{n:03}"}} for n in range(100)]
    arms, _ = await session.arms({7: many}, BEGIN, END)
    assert arms[7].pods == 32


async def test_the_sampled_answers_of_all_pods(town: Town, session: Monitors):
    one = {**page(), "pairs": [[1, 1000, 0, 0.25, 0.01, 200], [2, 1001, None, None, 0.5, 503]]}
    two = {**page(), "pairs": [[3, 1000, 1, 4, 0.01, 200]]}
    pods = [await town.pod(one), await town.pod(two), await town.pod({**one, "version": 8})]
    found = await session.pairs(7, pods, BEGIN, END)
    assert sorted(found) == [
        Pair(1, 1000, 0, 0.25, 0.01, 200),
        Pair(2, 1001, None, None, 0.5, 503),
        Pair(3, 1000, 1, 4.0, 0.01, 200),
    ]


@pytest.mark.parametrize(
    "pairs",
    [
        pytest.param([[1, 1000, 0, 0.25, 0.01]], id="a short row"),
        pytest.param([[None, 1000, 0, 0.25, 0.01, 200]], id="no id"),
        pytest.param([[1, "x", 0, 0.25, 0.01, 200]], id="no second"),
        pytest.param([[1, 1000, "yes", 0.25, 0.01, 200]], id="a label that is no place"),
        pytest.param([[1, 1000, 0, "0.25", 0.01, 200]], id="a value that is no number"),
        pytest.param(7, id="no list"),
    ],
)
async def test_pairs_that_cannot_be_are_left_out(town: Town, session: Monitors, pairs: Any):
    assert await session.pairs(7, [await town.pod({**page(), "pairs": pairs})], BEGIN, END) == []
