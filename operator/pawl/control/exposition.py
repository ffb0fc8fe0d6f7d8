"""`GET /metrics` of the operator: what it counted (`metrics`) and what there is (`states`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import generate_latest

from pawl.control import states
from pawl.control.cache import Cache
from pawl.control.listen import page
from pawl.control.metrics import REGISTRY
from pawl.control.queue import Queue
from pawl.control.settings import Address

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(seen: states.Seen) -> bytes:
    """The page. Thread-safe."""
    return generate_latest(REGISTRY) + states.render(seen)


@asynccontextmanager
async def serve(address: Address, cache: Cache, queue: Queue) -> AsyncIterator[None]:
    """Answers until the block is left. UserError when the address cannot be had."""
    one = asyncio.Lock()  # scrapes take turns, whoever asks

    async def metrics(_: web.Request) -> web.Response:
        async with one:
            leading = REGISTRY.get_sample_value("pawl_operator_leader") == 1
            seen = states.look(cache, queue, leading=leading)
            body = await asyncio.to_thread(render, seen)
        return web.Response(body=body, headers={"Content-Type": _CONTENT_TYPE})

    async with page(address, "/metrics", metrics):
        yield
