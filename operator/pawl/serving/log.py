"""Structured logs: one JSON object per line on stdout, credentials redacted."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson

from pawl.artifacts.redact import redact


class JsonFormatter(logging.Formatter):
    """time, level, logger, pid, message, then the fields given as `extra={"fields": {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": os.getpid(),
            "message": redact(record.getMessage()),
        }
        for key, value in getattr(record, "fields", {}).items():
            line[key] = redact(value) if isinstance(value, str) else value
        if record.exc_info and record.exc_info[1] is not None:
            line["traceback"] = redact("".join(traceback.format_exception(record.exc_info[1])))
        return orjson.dumps(line, default=str).decode()


def configure() -> None:
    """Sends every log line, also of libraries from WARNING on, to stdout."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger("pawl").setLevel(logging.INFO)
