"""`python -m pawl.search`: answers requests on stdin until it ends."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import BinaryIO

import optuna

from pawl.errors import PawlError
from pawl.search.protocol import MOST_BYTES, Begin, Reply, Request
from pawl.search.study import Study

#: Behind the operator when both want the CPU.
_NICE = 10


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """One `Begin`, then requests. What cannot go on is told in every answer."""
    study, error = _begin(source.readline(MOST_BYTES))
    while line := source.readline(MOST_BYTES):
        reply = Reply(error=error)
        if study is not None:
            try:
                reply = study.answer(Request.model_validate_json(line))
            except (PawlError, ValueError, RuntimeError) as failure:
                study, error = None, _sentence(failure)
                reply = Reply(error=error)
        sink.write(reply.model_dump_json(by_alias=True).encode() + b"\n")
        sink.flush()


def _begin(line: bytes) -> tuple[Study | None, str]:
    try:
        begin = Begin.model_validate_json(line)
        return Study(begin.search, begin.seed), ""
    except (PawlError, ValueError, ImportError) as failure:
        return None, _sentence(failure)


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())[:500] or type(error).__name__


def main() -> None:
    """The process."""
    os.nice(_NICE)
    optuna.logging.set_verbosity(logging.WARNING)
    warnings.simplefilter("ignore")
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
