"""An API server's bad days: a proxy in front of one, which spoils what is asked and answered.

Faults come at random, from a seed, and as often as in hours of a bad cluster within seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

#: What may become of a request, and how often: with each share of all requests.
REQUESTS = {
    "late": 0.05,
    "409": 0.04,  # of patches: nothing was written
    "429": 0.03,  # with Retry-After
    "500": 0.03,  # nothing was done
    "500 afterwards": 0.02,  # it was done
    "cut before": 0.02,
    "cut afterwards": 0.02,
    "truncated": 0.02,
}
#: How the watches of a resource end, in an order of its own, again and again; one lasts for LASTS
#: seconds, but the one that is refused.
WATCHES = ("cut", "truncated", "ended", "410", "410 at once", "500", "silent")
LASTS = (0.1, 2.5)
TOKENS_LAST = 2.0


@dataclass
class Proxy:
    """`kubeconfig` is what the client is given. Its token expires every few seconds, after another
    one was written there. `seen` counts the faults."""

    upstream: dict[str, Any]  # a kubeconfig
    kubeconfig: Path
    seed: int | None  # None: no faults
    seen: Counter[str] = field(default_factory=Counter)
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._tokens: list[str] = []
        self._orders: dict[str, Iterator[str]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serves on loopback."""
        cluster = self.upstream["clusters"][0]["cluster"]
        ca = _decoded(cluster["certificate-authority-data"])
        self._headers = {"Authorization": f"Bearer {self.upstream['users'][0]['user']['token']}"}
        connector = aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context(cadata=ca))
        async with aiohttp.ClientSession(cluster["server"], connector=connector) as self._session:
            runner = web.ServerRunner(web.Server(self._serve), shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self._url = "http://{}:{}".format(*runner.addresses[0][:2])
            self._new_token()
            rotating = asyncio.create_task(self._rotate())
            try:
                yield
            finally:
                rotating.cancel()
                await runner.cleanup()

    async def _rotate(self) -> None:
        while self.seed is not None:
            await asyncio.sleep(TOKENS_LAST)
            self._new_token()
            await asyncio.sleep(0.2)
            del self._tokens[:-1]

    def _new_token(self) -> None:
        self._tokens.append(f"token-{self._random.getrandbits(64):x}")
        config = json.loads(json.dumps(self.upstream))
        config["clusters"][0]["cluster"] = {"server": self._url}
        config["users"][0]["user"] = {"token": self._tokens[-1]}
        draft = self.kubeconfig.with_suffix(".new")
        draft.write_text(json.dumps(config))
        os.replace(draft, self.kubeconfig)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Authorization") not in [f"Bearer {t}" for t in self._tokens]:
            return self._refusal(401, "Unauthorized")
        if request.query.get("watch"):
            return await self._watch(request)
        fault = self._drawn(request.method)
        match fault:
            case "409":
                return self._refusal(409, "Conflict")
            case "429":
                return self._refusal(429, "TooManyRequests", {"Retry-After": "1"})
            case "500":
                return self._refusal(500, "InternalError")
            case "cut before":
                return self._cut(request)
            case "late":
                await asyncio.sleep(self._random.uniform(0.05, 0.8))
        status, body = await self._forward(request)
        match fault:
            case "500 afterwards":
                return self._refusal(500, "InternalError")
            case "cut afterwards":
                return self._cut(request)
            case "truncated":
                return await self._half(request, body)
        return web.Response(status=status, body=body, content_type="application/json")

    def _drawn(self, method: str) -> str:
        if self.seed is None:
            return ""
        fault = self._random.choices(
            [*REQUESTS, ""], [*REQUESTS.values(), 1 - sum(REQUESTS.values())]
        )[0]
        if fault == "409" and method != "PATCH":
            return ""
        self.seen[fault] += 1
        return fault

    async def _forward(self, request: web.BaseRequest) -> tuple[int, bytes]:
        async with self._session.request(
            request.method,
            request.rel_url,
            data=await request.read() or None,
            headers=self._headers | {"Content-Type": request.content_type},
        ) as answer:
            return answer.status, await answer.read()

    def _refusal(
        self, code: int, reason: str, headers: dict[str, str] | None = None
    ) -> web.Response:
        self.seen[str(code)] += code == 401
        return web.json_response(_status(code, reason), status=code, headers=headers)

    def _cut(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.transport is not None:  # else the client was quicker
            request.transport.abort()
        return web.Response()

    async def _half(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        return self._cut(request)

    def _ending(self, plural: str) -> str:
        """Of its next watch; "" when there are no faults."""
        if self.seed is None:
            return ""
        if plural not in self._orders:
            self._orders[plural] = cycle(self._random.sample(WATCHES, len(WATCHES)))
        return next(self._orders[plural])

    async def _watch(self, request: web.BaseRequest) -> web.StreamResponse:
        plural = request.path.rsplit("/", 1)[-1]
        how = self._ending(plural)
        if how == "410 at once":
            self.ends[plural, how] += 1
            return self._refusal(410, "Expired")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        with suppress(aiohttp.ClientError, ConnectionError):
            await response.prepare(request)
            lasts = self._random.uniform(*LASTS) if how else None
            with suppress(TimeoutError):
                async with asyncio.timeout(lasts):
                    await self._stream(request, response)
            if how:
                self.ends[plural, how] += 1
                await self._end(request, response, how)
        return response

    async def _stream(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        unlimited = aiohttp.ClientTimeout(total=None)
        async with self._session.get(
            request.rel_url, headers=self._headers, timeout=unlimited
        ) as answer:
            async for line in answer.content:
                await response.write(line)

    async def _end(self, request: web.BaseRequest, response: web.StreamResponse, how: str) -> None:
        match how:
            case "cut":
                self._cut(request)
            case "truncated":
                await response.write(b'{"type":"MODIFIED","object":{"metad')
                self._cut(request)
            case "silent":
                await asyncio.sleep(2.0)
                self._cut(request)
            case "410" | "500":
                reason = {"410": "Expired", "500": "InternalError"}[how]
                event = {"type": "ERROR", "object": _status(int(how), reason)}
                await response.write(json.dumps(event).encode() + b"\n")


def _status(code: int, reason: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": f"injected: {reason}",
    }


def _decoded(text: str) -> str:
    from base64 import b64decode

    return b64decode(text).decode()
