"""The monitor's port: GET /monitor, /pairs, /features, `?from=` and `?to=` in epoch seconds, and
/features/layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import orjson

from pawl.errors import UserError
from pawl.serving.errors import NotReadyError
from pawl.serving.http.exchange import Exchange
from pawl.serving.http.server import HttpLimits
from pawl.serving.monitor.pages import FeaturePages
from pawl.serving.monitor.snapshot import Snapshots

LIMITS = HttpLimits(max_body_bytes=1024, max_connections=32, request_timeout=10.0, keep_alive=75.0)
_READERS = (b"GET", b"HEAD")


class Query(NamedTuple):
    """Epoch seconds; None where nothing is said. `fine`: with fine bins."""

    start: int | None
    stop: int | None
    fine: bool


class MonitorRouter:
    """The paths of the port."""

    def __init__(self, snapshots: Snapshots, features: FeaturePages) -> None:
        self._pages: dict[bytes, Callable[[Query], dict[str, Any]]] = {
            b"/monitor": lambda q: snapshots.monitor(snapshots.window(q.start, q.stop)),
            b"/pairs": lambda q: snapshots.pairs(snapshots.window(q.start, q.stop)),
            b"/features": lambda q: features.counts(q.start, q.stop, fine=q.fine),
            b"/features/layout": lambda _: features.layout(),
        }

    def handle(self, exchange: Exchange) -> None:
        """Answers. Nothing is raised."""
        path, _, query = exchange.path.partition(b"?")
        page = self._pages.get(path)
        if page is None:
            exchange.error(404, "there are /monitor, /pairs, /features and /features/layout here")
            return
        if exchange.method not in _READERS:
            exchange.error(405, "only GET is taken here", extra=(("allow", "GET, HEAD"),))
            return
        try:
            answer = page(query_of(query))
        except UserError as error:
            exchange.error(400, str(error))
        except NotReadyError as error:
            exchange.error(503, str(error), extra=(("retry-after", "1"),))
        else:
            exchange.respond(200, orjson.dumps(answer))


def query_of(query: bytes) -> Query:
    """UserError when `from` or `to` is no time, or `fine` neither 0 nor 1."""
    try:
        fields = parse_qs(query.decode("ascii"), max_num_fields=8)
    except (UnicodeDecodeError, ValueError):
        raise UserError("the query cannot be read") from None
    fine = fields.get("fine", ["0"])[-1]
    if fine not in ("0", "1"):
        raise UserError(f"fine is {fine[:40]!r}; it must be 0 or 1")
    return Query(_second(fields, "from"), _second(fields, "to"), fine == "1")


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
