"""The monitor in ASGI servers: a middleware that counts requests, and an app for the port.

    app = Watched(app, monitor, paths=["/v2/models/churn/infer"])
    pages = Pages(monitor)                # uvicorn module:pages --port 8082

Pages must not be routed to clients. Where a second port cannot be had, `Watched(…, pages="/pawl")`
answers them below a path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from pawl.serving.monitor.standalone import CURRENT, Monitor, Watching
from pawl.serving.protocol import error_response

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Watched:
    """Counts the requests to `paths`."""

    def __init__(
        self, app: App, monitor: Monitor, *, paths: Collection[str], pages: str | None = None
    ) -> None:
        self._app = app
        self._monitor = monitor
        self._paths = frozenset(paths)
        self._pages = Pages(monitor, pages) if pages is not None else None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        path = scope.get("path", "") if scope["type"] == "http" else ""
        if self._pages is not None and path.startswith(self._pages.below):
            await self._pages(scope, receive, send)
        elif path in self._paths:
            await self._watch(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _watch(self, scope: Message, receive: Receive, send: Send) -> None:
        request = Watching(dict(scope["headers"]))
        status = 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        token = CURRENT.set(request)
        try:
            await self._app(scope, receive, sent)
        except Exception:
            self._monitor.answered(request, 500)
            raise
        finally:
            CURRENT.reset(token)
        self._monitor.answered(request, status)


class Pages:
    """/monitor, /pairs, /features and /features/layout, below a path if one is given."""

    def __init__(self, monitor: Monitor, path: str = "") -> None:
        self._monitor = monitor
        self.below = path.rstrip("/") + "/"

    async def __call__(self, scope: Message, _: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"].removeprefix(self.below[:-1]).encode()
        exchange = _Exchange(scope["method"].encode(), path + b"?" + scope["query_string"])
        self._monitor.answer(exchange)
        await send(
            {"type": "http.response.start", "status": exchange.status, "headers": exchange.headers}
        )
        await send({"type": "http.response.body", "body": exchange.body})


class _Exchange:
    """What the router wants of an `Exchange`."""

    def __init__(self, method: bytes, path: bytes) -> None:
        self.method, self.path = method, path
        self.status, self.body = 500, b""
        self.headers: list[tuple[bytes, bytes]] = []

    def respond(self, status: int, body: bytes, *, extra: tuple[tuple[str, str], ...] = ()) -> None:
        self.status = status
        self.headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *((name.encode(), value.encode()) for name, value in extra),
        ]
        self.body = b"" if self.method == b"HEAD" else body

    def error(self, status: int, message: str, *, extra: tuple[tuple[str, str], ...] = ()) -> None:
        self.respond(status, error_response(message), extra=extra)
