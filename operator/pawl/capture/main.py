"""The commands for captured files. `write` is what runs in a server pod; it is configured by
PAWL_CAPTURE_DIR, PAWL_CAPTURE_URI and PAWL_CAPTURE_RETENTION."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from threading import Event
from types import FrameType
from urllib.parse import quote, unquote, urlsplit

from pawl import constants, jsonlog
from pawl.api.duration import seconds
from pawl.artifacts.store import Store, open_store
from pawl.errors import PawlError, UserError


def main(arguments: Sequence[str], program: str = "python -m pawl.capture") -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog=program)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    write = commands.add_parser("write", help="write what the servers of this pod capture")
    write.set_defaults(run=_write)
    given = parser.parse_args(arguments)
    try:
        given.run(given)
    except PawlError as error:
        sys.stderr.write(f"{program}: {error}\n")
        return constants.EXIT_USER_ERROR
    return 0


def _write(_: argparse.Namespace) -> None:
    env = os.environ
    stop = Event()

    def told(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, told)
    jsonlog.configure(sys.stdout)
    logging.getLogger("pawl").setLevel(logging.INFO)
    from pawl.capture.writer import Writer  # noqa: PLC0415 - pyarrow takes its time

    retention = env.get(constants.ENV_CAPTURE_RETENTION)
    folder = Path(_required(env, constants.ENV_CAPTURE_DIR))
    with store_at(_required(env, constants.ENV_CAPTURE_URI), env) as store:
        Writer(folder, store, seconds(retention) if retention else None).run(stop)


def store_at(uri: str, env: Mapping[str, str]) -> Store:
    """The store of captured files; of a pvc:// URI below where its claim is mounted."""
    parts = urlsplit(uri)
    if parts.scheme != "pvc":
        return open_store(uri)
    claim = env.get(constants.ENV_CLAIM_DIR)
    inside = PurePosixPath(unquote(parts.path).lstrip("/"))
    if not claim or ".." in inside.parts:
        raise UserError(
            f"{uri}: the claim must be mounted, and {constants.ENV_CLAIM_DIR} say where"
        )
    return open_store("file://" + quote(str(Path(claim).absolute() / inside)))


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise UserError(f"{name} is not set")
    return value
