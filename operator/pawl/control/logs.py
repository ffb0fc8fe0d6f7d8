"""Structured logs: one JSON object a line on stderr, with credentials taken out."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from pawl.artifacts.redact import redact

_FIELDS = ("object", "reason")


class JsonFormatter(logging.Formatter):
    """time, level, logger, message, and the object the line is about."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        line |= {
            field: value
            for field in _FIELDS
            if isinstance(value := getattr(record, field, None), str)
        }
        if record.exc_info:
            line["error"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def set_up(level: str = "INFO") -> None:
    """Everything that is logged in this process goes through `JsonFormatter`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(logging.WARNING)
