"""Where the log of the operator goes; see `pawl.jsonlog`."""

from __future__ import annotations

import logging
import sys

from pawl import jsonlog


def set_up(level: str = "INFO") -> None:
    """Lines from `level` on, to stderr."""
    jsonlog.configure(sys.stderr, level.upper())
    logging.getLogger("kopf").setLevel(logging.WARNING)
