"""Container logs on disk, in the kubelet's CRI format, bounded and followable.

    2026-11-21T04:00:00.123456789Z stdout F the line

`F` ends a line; `P` is a part of a line longer than 16 KiB, or an end without a newline. A file
that reaches 10 MiB is renamed to `<file>.1`, so one incarnation of a container keeps at most
20 MiB. Like the kubelet, the logs of the current and of the previous incarnation are kept.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

MAX_BYTES = 10 * 2**20
_MAX_LINE = 16 * 2**10
_CHUNK = 2**16


def rfc3339_nano(moment: datetime) -> str:
    """Always of the same length, so that times compare as their texts do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


class LogFile:
    """What one incarnation writes. `capture()` gives the descriptors to start a process with."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()
        self._pipes: dict[int, tuple[bytes, bytearray]] = {}  # fd -> stream, unfinished line
        self._followers: set[asyncio.Event] = set()
        self.closed = False

    def capture(self) -> tuple[int, int]:
        """Write ends for stdout and stderr; the caller closes them once the child has them."""
        ends = []
        for stream in (b"stdout", b"stderr"):
            read_end, write_end = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(read_end, False)
            self._pipes[read_end] = (stream, bytearray())
            asyncio.get_running_loop().add_reader(read_end, self._readable, read_end)
            ends.append(write_end)
        return ends[0], ends[1]

    def finish(self) -> None:
        """The process has ended: take what is still in the pipes and close."""
        self.drain()
        for fd in list(self._pipes):
            self._end(fd)
        self._file.close()
        self.closed = True
        self._wake()

    def drain(self) -> None:
        """Take what is in the pipes now."""
        for fd in list(self._pipes):
            while fd in self._pipes and self._read(fd):
                pass
        self._wake()

    @contextlib.contextmanager
    def following(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever something was written."""
        event = asyncio.Event()
        self._followers.add(event)
        try:
            yield event
        finally:
            self._followers.discard(event)

    def _readable(self, fd: int) -> None:
        self._read(fd)
        self._wake()

    def _read(self, fd: int) -> bool:
        """One read; False when there is nothing (more) to read now."""
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._end(fd)
            return False
        stream, pending = self._pipes[fd]
        pending += data
        self._write(stream, _cut_lines(pending))
        return True

    def _end(self, fd: int) -> None:
        found = self._pipes.pop(fd, None)
        if found is None:
            return
        asyncio.get_running_loop().remove_reader(fd)
        os.close(fd)
        stream, pending = found
        if pending:
            self._write(stream, [(b"P", bytes(pending))])

    def _write(self, stream: bytes, lines: Iterable[tuple[bytes, bytes]]) -> None:
        head = rfc3339_nano(datetime.now(UTC)).encode() + b" " + stream + b" "
        block = b"".join(head + tag + b" " + line + b"\n" for tag, line in lines)
        if not block:
            return
        if self._size + len(block) > self._max_bytes and self._size:
            self._file.close()
            self.path.replace(self.path.with_name(self.path.name + ".1"))
            self._file = self.path.open("ab", buffering=0)
            self._size = 0
        self._file.write(block)
        self._size += len(block)

    def _wake(self) -> None:
        for event in self._followers:
            event.set()


def _cut_lines(pending: bytearray) -> list[tuple[bytes, bytes]]:
    """Take the finished lines, and parts of a line that is too long, off the front."""
    lines: list[tuple[bytes, bytes]] = []
    start = 0
    while True:
        end = pending.find(b"\n", start)
        stop = len(pending) if end < 0 else end
        while stop - start > _MAX_LINE:
            lines.append((b"P", bytes(pending[start : start + _MAX_LINE])))
            start += _MAX_LINE
        if end < 0:
            break
        lines.append((b"F", bytes(pending[start:end])))
        start = end + 1
    del pending[:start]
    return lines


@dataclass(frozen=True)
class Selection:
    """Which lines are wanted (the options of `kubectl logs`)."""

    follow: bool = False
    tail_lines: int | None = None
    since: datetime | None = None
    timestamps: bool = False
    limit_bytes: int | None = None


async def read(path: Path, selection: Selection, live: LogFile | None) -> AsyncIterator[bytes]:
    """The selected lines of the log at `path`; with `follow`, until the container ends.

    `live` is the log being written there, None when nobody writes any more.
    """
    budget = selection.limit_bytes
    async for block in _blocks(path, selection, live):
        if budget is None:
            yield block
            continue
        yield block[:budget]
        budget -= len(block)
        if budget <= 0:
            return


async def _blocks(path: Path, selection: Selection, live: LogFile | None) -> AsyncIterator[bytes]:
    position = 0
    with contextlib.ExitStack() as stack:
        woken = stack.enter_context(live.following()) if live is not None else None
        raw, position = _existing(path)
        rest, lines = _split(raw)
        position -= len(rest)
        if selection.tail_lines is not None:
            lines = _last(lines, selection.tail_lines)
        if block := _rendered(lines, selection):
            yield block
        while selection.follow and live is not None and woken is not None:
            closed = live.closed
            woken.clear()
            try:
                raw, position = _appended(path, position)
            except FileNotFoundError:  # the pod is gone, and this reader was slow
                return
            if block := _rendered(_split(raw)[1], selection):
                yield block
            if closed:
                return
            if not raw:
                await woken.wait()


def tail(path: Path, *, lines: int, max_bytes: int) -> str:
    """The end of a log as text, for a termination message."""
    raw, _ = _existing(path)
    chosen = _last(_split(raw)[1], lines)
    text = _rendered(chosen, Selection())
    return text[-max_bytes:].decode(errors="replace")


def _existing(path: Path) -> tuple[bytes, int]:
    """All that is on disk, and where the current file ends."""
    older = path.with_name(path.name + ".1")
    before = older.read_bytes() if older.exists() else b""
    current = path.read_bytes() if path.exists() else b""
    return before + current, len(current)


def _appended(path: Path, position: int) -> tuple[bytes, int]:
    """What came after `position`, across one rotation, and the new position."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        before = b""
        if size < position:  # rotated: the rest of what was being read is in the older file
            older = path.with_name(path.name + ".1")
            with older.open("rb") as old:
                old.seek(position)
                before = old.read()
            position = 0
        file.seek(position)
        data = file.read()
    return before + data, position + len(data)


def _split(raw: bytes) -> tuple[bytes, list[bytes]]:
    """(an unfinished record at the end, the records)"""
    records = raw.split(b"\n")
    return records.pop(), records


def _last(records: list[bytes], count: int) -> list[bytes]:
    """The records of the last `count` lines; a line may be several records."""
    if count <= 0:
        return []
    seen = 0
    for index in range(len(records) - 1, -1, -1):
        if _tag(records[index]) == b"F" or index == len(records) - 1:
            seen += 1
            if seen > count:
                return records[index + 1 :]
    return records


def _tag(record: bytes) -> bytes:
    return record.split(b" ", 3)[2]


def _rendered(records: list[bytes], selection: Selection) -> bytes:
    since = rfc3339_nano(selection.since).encode() if selection.since else b""
    parts = []
    fresh = True  # at the start of a line
    for record in records:
        time, _, tag, text = record.split(b" ", 3)
        if time < since:
            continue
        if selection.timestamps and fresh:
            parts.append(time + b" ")
        parts.append(text if tag == b"P" else text + b"\n")
        fresh = tag != b"P"
    return b"".join(parts)
