"""Where the log of a server goes; see `pawl.jsonlog`."""

from __future__ import annotations

import logging
import os
import sys

from pawl import jsonlog


def configure() -> None:
    """Our own lines from INFO on, those of libraries from WARNING on, to stdout."""
    jsonlog.configure(sys.stdout, pid=os.getpid())
    logging.getLogger("pawl").setLevel(logging.INFO)
