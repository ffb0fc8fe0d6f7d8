"""Pages that the operator answers, each on an address of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from pawl.control.settings import Address
from pawl.errors import UserError


@asynccontextmanager
async def page(
    address: Address, path: str, answer: Callable[[web.Request], Awaitable[web.Response]]
) -> AsyncIterator[None]:
    """GET `path` is answered until the block is left. UserError when the address cannot be had."""
    app = web.Application()
    app.router.add_get(path, answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await _start(runner, address, path)
        yield
    finally:
        await runner.cleanup()


async def _start(runner: web.AppRunner, address: Address, path: str) -> None:
    try:
        await web.TCPSite(runner, address.host, address.port).start()
    except OSError as error:
        where = f"{address.host}:{address.port}"
        raise UserError(f"{path} cannot be answered at {where}: {error.strerror}") from error


async def lives(_: web.Request) -> web.Response:
    """For the kubelet: an event loop that is stuck does not answer."""
    return web.Response(text="lives")
