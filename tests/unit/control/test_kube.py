"""Requests to an API server that refuses, hesitates, or does not answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pawl.control import kube as module
from pawl.control.elector import TermError
from pawl.control.kinds import DEPLOYMENTS, PODS
from pawl.control.kube import Kube, KubeError

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def json_answer(status: int, body: Any, **headers: str) -> Answer:
    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return answer


async def cut(request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def half(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = 100
    await response.prepare(request)
    await response.write(b'{"metadata":')
    return await cut(request)


OK = json_answer(200, {"metadata": {}})
TOO_MANY = json_answer(429, {"message": "later"}, **{"Retry-After": "0"})


class Server:
    """Gives its answers one after the other; `tokens` are what it was shown."""

    def __init__(self, folder: Path, *answers: Answer) -> None:
        self.tokens: list[str] = []
        self.kubeconfig = folder / "kubeconfig"
        self._answers = list(answers)
        self._url = ""

    def write(self, token: str) -> None:
        parts = {
            "clusters": [{"name": "x", "cluster": {"server": self._url}}],
            "users": [{"name": "x", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        }
        self.kubeconfig.write_text(json.dumps({"current-context": "x", **parts}))

    @asynccontextmanager
    async def kube(self, **more: Any) -> AsyncIterator[Kube]:
        runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._url = "http://{}:{}".format(*runner.addresses[0][:2])
        self.write("old")
        kube = await Kube.connect(str(self.kubeconfig), **more)
        try:
            yield kube
        finally:
            await kube.close()
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.tokens.append(request.headers["Authorization"].removeprefix("Bearer "))
        return await self._answers.pop(0)(request)


async def test_what_is_to_be_sent_again_later_is_sent_again(tmp_path: Path):
    server = Server(tmp_path, TOO_MANY, TOO_MANY, OK)
    async with server.kube() as kube:
        assert await kube.get(DEPLOYMENTS, "ml", "churn") == {"metadata": {}}
    assert len(server.tokens) == 3


async def test_it_is_not_sent_again_for_ever(tmp_path: Path):
    server = Server(tmp_path, *[TOO_MANY] * 9)
    async with server.kube() as kube:
        with pytest.raises(KubeError, match="later") as raised:
            await kube.get(DEPLOYMENTS, "ml", "churn")
    assert (raised.value.code, len(server.tokens)) == (429, module._TRIES)


async def test_an_expired_token_is_read_anew(tmp_path: Path):
    async def expire(request: web.BaseRequest) -> web.StreamResponse:
        server.write("new")
        return await json_answer(401, {"reason": "Unauthorized"})(request)

    server = Server(tmp_path, expire, OK)
    async with server.kube() as kube:
        assert await kube.get(DEPLOYMENTS, "ml", "churn") is not None
    assert server.tokens == ["old", "new"]


@pytest.mark.parametrize("answer", [cut, half])
async def test_without_a_whole_answer_nobody_knows_whether_it_was_done(
    tmp_path: Path, answer: Answer
):
    async with Server(tmp_path, answer, answer).kube() as kube:
        with pytest.raises(KubeError, match="no answer") as raised:
            await kube.merge(DEPLOYMENTS, "ml", "churn", {})
    assert raised.value.code == 0
    assert raised.value.may_be_done


async def test_a_watch_that_breaks_off_gives_what_came_before(tmp_path: Path):
    event = {"type": "ADDED", "object": {"metadata": {"name": "a"}}}

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(json.dumps(event).encode() + b'\n{"type":')
        return await cut(request)

    async with Server(tmp_path, answer).kube() as kube:
        events = kube.watch(PODS, None, "1", 60)
        assert await anext(events) == event
        with pytest.raises(KubeError, match="no answer"):
            await anext(events)


async def test_a_write_that_must_not_be_is_not_sent_and_not_sent_again(tmp_path: Path):
    writes = 0

    def may_write() -> None:
        nonlocal writes
        writes += 1
        if writes > 1:
            raise TermError("over")

    server = Server(tmp_path, OK, TOO_MANY, OK)
    async with server.kube(may_write=may_write) as kube:
        await kube.get(DEPLOYMENTS, "ml", "churn")
        assert writes == 0
        with pytest.raises(TermError):
            await kube.merge(DEPLOYMENTS, "ml", "churn", {})
    assert len(server.tokens) == 2
