"""`GET /metrics` of the operator: what it counted (`metrics`) and what there is (`states`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import generate_latest

from pawl.control import states
from pawl.control.cache import Cache
from pawl.control.metrics import REGISTRY
from pawl.control.queue import Queue
from pawl.control.settings import Address
from pawl.errors import UserError

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

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await _listen(runner, address)
        yield
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, address: Address) -> None:
    try:
        await web.TCPSite(runner, address.host, address.port).start()
    except OSError as error:
        where = f"{address.host}:{address.port}"
        raise UserError(f"PAWL_METRICS_ADDRESS {where}: {error.strerror}") from error
