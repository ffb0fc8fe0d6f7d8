"""Structured logs: one JSON object per line on stdout, credentials redacted."""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson

from pawl.artifacts.redact import redact

LOGGER = logging.getLogger("pawl.training")


class JsonFormatter(logging.Formatter):
    """time, level, stage, message, then the fields given as `extra={"fields": {...}}`."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self._stage = stage

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "stage": self._stage,
            "message": redact(record.getMessage()),
        }
        for key, value in getattr(record, "fields", {}).items():
            line[key] = redact(value) if isinstance(value, str) else value
        if record.exc_info and record.exc_info[1] is not None:
            line["traceback"] = redact("".join(traceback.format_exception(record.exc_info[1])))
        return orjson.dumps(line, default=str, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def configure(stage: str) -> None:
    """Sends every log line, also of libraries from WARNING on, to stdout."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(stage))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)
    LOGGER.setLevel(logging.INFO)


def info(message: str, **fields: Any) -> None:
    """A progress line."""
    LOGGER.info(message, extra={"fields": fields})


def warning(message: str, **fields: Any) -> None:
    """Something the user should see, though the run goes on."""
    LOGGER.warning(message, extra={"fields": fields})
