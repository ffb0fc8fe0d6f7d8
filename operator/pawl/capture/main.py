"""The commands for captured files. `write` is what runs in a server pod; it is configured by
PAWL_CAPTURE_DIR, PAWL_CAPTURE_URI and PAWL_CAPTURE_RETENTION."""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from threading import Event
from types import FrameType
from urllib.parse import quote, unquote, urlsplit

from pawl import constants, jsonlog
from pawl.api.duration import seconds
from pawl.artifacts.store import Store, open_store
from pawl.errors import UserError

_DURATION = re.compile(r"([0-9]+[smhd])+")


def main(arguments: Sequence[str], program: str = "python -m pawl.capture") -> None:
    """Runs a command. PawlError when it cannot be done, SystemExit as argparse says."""
    given = _parser(program).parse_args(arguments)
    try:
        given.run(given)
    except ModuleNotFoundError as error:
        raise UserError(
            f"{error.name} is not installed here: pip install 'pawl-operator[trainer]', or run "
            "python -m pawl.capture in the trainer image"
        ) from error


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program, description="Captured predictions and feedback (docs/capture.md)."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--uri", required=True, help="spec.capture.uri")
    write = commands.add_parser("write", help="write what the servers of this pod capture")
    write.set_defaults(run=_write)
    listed = commands.add_parser("list", parents=[where], help="how many files there are of a day")
    listed.set_defaults(run=_list)
    joined = commands.add_parser("join", parents=[where], help="make a table to train on")
    joined.add_argument("--out", required=True, help="a .parquet file, which is replaced")
    joined.add_argument("--target", default="target", help="how the truth is called there")
    joined.add_argument(
        "--mature", type=_duration, default=0, help="leave out younger predictions, like 30d"
    )
    joined.add_argument("--since", type=_day, default=0.0, help="from this day on (UTC)")
    joined.add_argument("--version", help="of one version only, like 7")
    joined.set_defaults(run=_join)
    erased = commands.add_parser("erase", parents=[where], help="rewrite files without some rows")
    erased.add_argument(
        "--key", required=True, metavar="COLUMN=VALUE", help="which; hashed columns need "
        f"{constants.ENV_FEEDBACK_KEY} in the environment",
    )  # fmt: skip
    erased.set_defaults(run=_erase)
    expired = commands.add_parser("expire", parents=[where], help="delete old files")
    expired.add_argument("--older-than", type=_duration, required=True, help="like 90d")
    expired.set_defaults(run=_expire)
    return parser


def _duration(text: str) -> int:
    if not _DURATION.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text}: write it like 12h or 90d")
    return seconds(text)


def _day(text: str) -> float:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: write it like 2026-11-26") from None


def _write(_: argparse.Namespace) -> None:
    stop = Event()

    def told(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, told)
    jsonlog.configure(sys.stdout)
    logging.getLogger("pawl").setLevel(logging.INFO)
    from pawl.capture.writer import Writer  # noqa: PLC0415 - pyarrow takes its time

    env = os.environ
    retention = env.get(constants.ENV_CAPTURE_RETENTION)
    folder = Path(_required(env, constants.ENV_CAPTURE_DIR))
    with store_at(_required(env, constants.ENV_CAPTURE_URI), env) as store:
        Writer(folder, store, seconds(retention) if retention else None).run(stop)


def _list(given: argparse.Namespace) -> None:
    from pawl.capture.expire import files  # noqa: PLC0415

    with store_at(given.uri, os.environ) as store:
        days = Counter(path.rpartition("/")[0] for path in files(store))
    for day, count in sorted(days.items()):
        _say(f"{day}: {count} files")
    _say(f"{days.total()} files")


def _join(given: argparse.Namespace) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415 - only the trainer image has it

    from pawl.capture.join import join  # noqa: PLC0415

    folder, _, name = given.out.rpartition("/")
    if not name.endswith(".parquet"):
        raise UserError(f"--out {given.out}: its name must end in .parquet")
    with store_at(given.uri, os.environ) as store:
        made = join(
            store,
            target=given.target,
            before=time.time() - given.mature,
            since=given.since,
            version=given.version,
        )
    with tempfile.TemporaryDirectory(prefix="pawl-join-") as scratch:
        path = Path(scratch) / name
        pq.write_table(made.table, path, compression="zstd")
        with store_at(folder, os.environ) as store:
            store.replace_file(name, path)
    _say(f"{made.table.num_rows:,} rows; {made.young:,} are too young, {made.untold:,} untold")


def _erase(given: argparse.Namespace) -> None:
    from pawl.capture.erase import erase  # noqa: PLC0415 - pyarrow
    from pawl.serving.settings import feedback_keys  # noqa: PLC0415

    column, equals, value = given.key.partition("=")
    if not (column and equals):
        raise UserError(f"--key {column}: write it like customer_id=1234")
    with store_at(given.uri, os.environ) as store:
        gone = erase(store, column, value, feedback_keys(os.environ))
    _say(f"{gone.predictions:,} predictions and {gone.feedback:,} truths, of {gone.files} files")


def _expire(given: argparse.Namespace) -> None:
    from pawl.capture.expire import expire  # noqa: PLC0415

    with store_at(given.uri, os.environ) as store:
        gone, left = expire(store, time.time() - given.older_than)
    _say(f"{gone} files deleted, {left} are left")


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


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
