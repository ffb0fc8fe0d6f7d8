"""Structured logs of every process of ours: one JSON object a line, with credentials taken out."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

from pawl import tracing
from pawl.artifacts.redact import redact

_NOTHING: dict[str, Any] = {}
_about: ContextVar[dict[str, Any]] = ContextVar("about", default=_NOTHING)


class JsonFormatter(logging.Formatter):
    """time, level, logger, what is the same in every line, message, then what the line is `about`
    and what is given as `extra={"fields": {…}}`, the trace it belongs to (docs/tracing.md), and the
    traceback of an exception."""

    def __init__(self, **same: Any) -> None:
        super().__init__()
        self._same = same

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            **self._same,
            "message": _clean(record.getMessage()),
        }
        for key, value in (_about.get() | getattr(record, "fields", {})).items():
            line[key] = _clean(value) if isinstance(value, str) else value
        if trace := tracing.trace_id():
            line["trace_id"] = trace
        if record.exc_info and record.exc_info[1] is not None:
            line["traceback"] = _clean("".join(traceback.format_exception(record.exc_info[1])))
        return orjson.dumps(line, default=str, option=orjson.OPT_SERIALIZE_NUMPY).decode()


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """Every line of the block, and of the tasks that begin in it, has these fields."""
    token = _about.set(_about.get() | fields)
    try:
        yield
    finally:
        _about.reset(token)


def configure(stream: TextIO, level: int | str = logging.WARNING, **same: Any) -> None:
    """Sends log lines from `level` on, also of libraries, and Python's warnings to `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(**same))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)


def _clean(text: str) -> str:
    """Without credentials; a file's name may hold what is no text."""
    return redact(text).encode(errors="replace").decode()
