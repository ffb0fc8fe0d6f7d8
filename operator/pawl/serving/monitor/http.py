"""The monitor's port: GET /monitor and /pairs, `?from=` and `?to=` in epoch seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import orjson

from pawl.errors import UserError
from pawl.serving.http.exchange import Exchange
from pawl.serving.http.server import HttpLimits
from pawl.serving.monitor.snapshot import Snapshots, Window

LIMITS = HttpLimits(max_body_bytes=1024, max_connections=32, request_timeout=10.0, keep_alive=75.0)
_READERS = (b"GET", b"HEAD")


class MonitorRouter:
    """The paths of the port."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._pages: dict[bytes, Callable[[Window], dict[str, Any]]] = {
            b"/monitor": snapshots.monitor,
            b"/pairs": snapshots.pairs,
        }

    def handle(self, exchange: Exchange) -> None:
        """Answers. Nothing is raised."""
        path, _, query = exchange.path.partition(b"?")
        page = self._pages.get(path)
        if page is None:
            exchange.error(404, "there are /monitor and /pairs here")
            return
        if exchange.method not in _READERS:
            exchange.error(405, "only GET is taken here", extra=(("allow", "GET, HEAD"),))
            return
        try:
            start, stop = bounds(query)
        except UserError as error:
            exchange.error(400, str(error))
            return
        exchange.respond(200, orjson.dumps(page(self._snapshots.window(start, stop))))


def bounds(query: bytes) -> tuple[int | None, int | None]:
    """`from` and `to` of a query; UserError when one is no time."""
    try:
        fields = parse_qs(query.decode("ascii"), max_num_fields=8)
    except (UnicodeDecodeError, ValueError):
        raise UserError("the query cannot be read") from None
    return _second(fields, "from"), _second(fields, "to")


def _second(fields: dict[str, list[str]], name: str) -> int | None:
    values = fields.get(name)
    if values is None:
        return None
    text = values[-1]
    try:
        second = float(text)
    except ValueError:
        second = -1.0
    if not 0 <= second < 2**40:
        raise UserError(f"{name} is {text[:40]!r}; it must be a time in epoch seconds")
    return int(second)
