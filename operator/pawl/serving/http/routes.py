"""Which path and method does what, and which error has which code. The only place that knows HTTP
codes of errors.

Too much work is 429, not 503: a router that ejects pods on 5xx answers would take the busy ones
away and make the rest busier.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

from pawl.errors import PawlError, SignatureError
from pawl.serving.dataplane import Dataplane
from pawl.serving.errors import NotReadyError, NotServedError, OverloadedError, TooLargeError
from pawl.serving.http.exchange import Exchange
from pawl.serving.metrics import CONTENT_TYPE

LOGGER = logging.getLogger(__name__)

_CODES: tuple[tuple[type[Exception], int], ...] = (
    (SignatureError, 400),
    (NotServedError, 404),
    (TooLargeError, 413),
    (OverloadedError, 429),
    (NotReadyError, 503),
)
_READERS = (b"GET", b"HEAD")
_BINARY = (
    "binary tensor data (Inference-Header-Content-Length) is not supported; send JSON with the "
    "values in `data`"
)


class Route(NamedTuple):
    """What a path does, for the methods it has."""

    operation: str
    methods: tuple[bytes, ...]
    handle: Callable[[Exchange], None]


class Router:
    """The paths of one dataplane. A path is looked up whole; nothing is parsed on the way."""

    def __init__(self, dataplane: Dataplane) -> None:
        self._dataplane = dataplane
        infer = Route("infer", (b"POST",), self._infer)
        feedback = Route("feedback", (b"POST",), self._feedback)
        metadata = Route("metadata", _READERS, self._model_metadata)
        ready = Route("health", _READERS, self._model_ready)
        self._routes = {
            b"/v2": Route("metadata", _READERS, self._server_metadata),
            b"/v2/": Route("metadata", _READERS, self._server_metadata),
            b"/v2/health/live": Route("health", _READERS, self._live),
            b"/v2/health/ready": Route("health", _READERS, self._ready),
            b"/metrics": Route("metrics", _READERS, self._metrics),
        }
        model = f"/v2/models/{dataplane.model}"
        for base in (model, f"{model}/versions/{dataplane.version}"):
            self._routes[base.encode()] = metadata
            self._routes[f"{base}/ready".encode()] = ready
            self._routes[f"{base}/infer".encode()] = infer
            self._routes[f"{base}/feedback".encode()] = feedback

    def handle(self, exchange: Exchange) -> None:
        """Answers, now or later. Nothing is raised."""
        path = exchange.path
        route = self._routes.get(path)
        if route is None:
            path = path.partition(b"?")[0]
            route = self._routes.get(path) or self._routes.get(unquote(path).encode())
        if route is None:
            exchange.error(404, self._unknown(unquote(path)))
            return
        exchange.operation = route.operation
        if exchange.method not in route.methods:
            allowed = ", ".join(method.decode() for method in route.methods)
            exchange.error(405, f"{unquote(path)} takes {allowed}", extra=(("allow", allowed),))
            return
        try:
            route.handle(exchange)
        except Exception as error:
            fail(exchange, error)

    def _unknown(self, path: str) -> str:
        match path.split("/"):
            case ["", "v2", "models", model, "versions", version, *_] if model and version:
                named: tuple[str, str | None] = (model, version)
            case ["", "v2", "models", model, *_] if model:
                named = (model, None)
            case _:
                return f"there is nothing at {path[:120]!r}"
        try:
            self._dataplane.check(*named)
        except NotServedError as error:
            return str(error)
        return f"there is nothing at {path[:120]!r}"

    def _infer(self, exchange: Exchange) -> None:
        if _is_acceptable(exchange):
            self._dataplane.infer(exchange.body, _Reply(exchange))

    def _feedback(self, exchange: Exchange) -> None:
        if _is_acceptable(exchange):
            exchange.respond(200, self._dataplane.feedback(exchange.body))

    def _server_metadata(self, exchange: Exchange) -> None:
        exchange.respond(200, self._dataplane.server_metadata())

    def _model_metadata(self, exchange: Exchange) -> None:
        exchange.respond(200, self._dataplane.model_metadata())

    def _live(self, exchange: Exchange) -> None:
        exchange.respond(200, b'{"live":true}')

    def _ready(self, exchange: Exchange) -> None:
        if self._dataplane.ready:
            exchange.respond(200, b'{"ready":true}')
        else:
            exchange.respond(503, b'{"ready":false}')

    def _model_ready(self, exchange: Exchange) -> None:
        ready = self._dataplane.ready
        body = b'{"name":"%s","ready":%s}' % (
            self._dataplane.model.encode(),
            b"true" if ready else b"false",
        )
        exchange.respond(200 if ready else 503, body)

    def _metrics(self, exchange: Exchange) -> None:
        exchange.respond(200, self._dataplane.metrics(), content_type=CONTENT_TYPE.encode())


class _Reply:
    """An exchange as the dataplane sees it."""

    __slots__ = ("request",)

    def __init__(self, exchange: Exchange) -> None:
        self.request = exchange

    @property
    def abandoned(self) -> bool:
        return self.request.abandoned

    def send(self, body: bytes) -> None:
        self.request.respond(200, body)

    def fail(self, error: Exception) -> None:
        fail(self.request, error)


def fail(exchange: Exchange, error: Exception) -> None:
    """Answers with the code of an error; the text of one that is not ours stays in the log."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), 500)
    extra: tuple[tuple[str, str], ...] = ()
    if isinstance(error, OverloadedError):
        extra = (("retry-after", str(error.retry_after)),)
    elif code == 503:
        extra = (("retry-after", "1"),)
    if isinstance(error, PawlError):
        exchange.error(code, str(error), extra=extra)
    else:
        LOGGER.error("a request failed", exc_info=error)
        exchange.error(500, "internal error; the server's log says more")


def _is_acceptable(exchange: Exchange) -> bool:
    """Whether the body is plain JSON by its headers; if not, that is answered."""
    headers = exchange.headers
    content_type = headers.get(b"content-type")
    if b"inference-header-content-length" in headers:
        exchange.error(415, _BINARY)
    elif content_type not in (b"application/json", None) and not _is_json(content_type):
        exchange.error(415, "the request must be application/json")
    elif headers.get(b"content-encoding", b"identity").lower() != b"identity":
        exchange.error(415, "compressed requests are not supported; send plain JSON")
    else:
        return True
    return False


def _is_json(content_type: bytes | None) -> bool:
    return (content_type or b"").partition(b";")[0].strip().lower() == b"application/json"
