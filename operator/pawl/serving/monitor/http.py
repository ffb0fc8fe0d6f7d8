"""The monitor's port: GET /monitor, /pairs, /features, `?from=` and `?to=` in epoch seconds, and
/features/layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs

import orjson

from pawl.errors import UserError
from pawl.serving.errors import NotReadyError
from pawl.serving.http.server import HttpLimits
from pawl.serving.monitor.pages import FeaturePages
from pawl.serving.monitor.snapshot import Snapshots
from pawl.serving.monitor.steps import STEP

LIMITS = HttpLimits(max_body_bytes=1024, max_connections=32, request_timeout=10.0, keep_alive=75.0)
_READERS = (b"GET", b"HEAD")
_STEPS = ("10", "1", "60")


class Query(NamedTuple):
    """Epoch seconds; None where nothing is said. `fine`: with fine bins, `step`: by how many
    seconds."""

    start: int | None
    stop: int | None
    fine: bool = False
    step: int = STEP


class Answering(Protocol):
    """A request to the port, and where its answer goes (see `http.exchange`)."""

    method: bytes
    path: bytes

    def respond(self, status: int, body: bytes) -> None:
        """The answer."""

    def error(self, status: int, message: str, *, extra: tuple[tuple[str, str], ...] = ()) -> None:
        """There is none."""


class MonitorRouter:
    """The paths of the port."""

    def __init__(self, snapshots: Snapshots, features: FeaturePages) -> None:
        self._pages: dict[bytes, Callable[[Query], dict[str, Any]]] = {
            b"/monitor": lambda q: snapshots.monitor(snapshots.window(q.start, q.stop)),
            b"/pairs": lambda q: snapshots.pairs(snapshots.window(q.start, q.stop)),
            b"/features": lambda q: features.counts(q.start, q.stop, step=q.step, fine=q.fine),
            b"/features/layout": lambda _: features.layout(),
        }

    def handle(self, exchange: Answering) -> None:
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
    """UserError when `from` or `to` is no time, or another is none of what it can be."""
    try:
        fields = parse_qs(query.decode("ascii"), max_num_fields=8)
    except (UnicodeDecodeError, ValueError):
        raise UserError("the query cannot be read") from None
    fine = _one_of(fields, "fine", ("0", "1"))
    step = int(_one_of(fields, "step", _STEPS))
    if fine == "1" and step % STEP:
        raise UserError(f"fine bins are told by steps of {STEP} seconds or more")
    return Query(_second(fields, "from"), _second(fields, "to"), fine == "1", step)


def _one_of(fields: dict[str, list[str]], name: str, known: Sequence[str]) -> str:
    """The first is the default."""
    text = fields.get(name, [known[0]])[-1]
    if text not in known:
        raise UserError(f"{name} is {text[:40]!r}; it must be one of {', '.join(known)}")
    return text


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
