"""The log of a training stage; see `pawl.jsonlog`."""

from __future__ import annotations

import logging
import sys
from typing import Any

from pawl import jsonlog

LOGGER = logging.getLogger("pawl.training")


def configure(stage: str) -> None:
    """Our own lines from INFO on, those of libraries from WARNING on, to stdout."""
    jsonlog.configure(sys.stdout, stage=stage)
    LOGGER.setLevel(logging.INFO)


def info(message: str, **fields: Any) -> None:
    """A progress line."""
    LOGGER.info(message, extra={"fields": fields})


def warning(message: str, **fields: Any) -> None:
    """Something the user should see, though the run goes on."""
    LOGGER.warning(message, extra={"fields": fields})
