"""What processes use, read from /proc: sessions, resident memory, CPU time.

A container is a session (and what its processes started elsewhere: their children). Memory is
the sum of resident sets; where that exceeds a limit, the proportional set size decides, which
counts a page that several processes share once.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ProcessUsage:
    pid: int
    parent: int
    session: int
    cpu: float  # seconds, user and system
    resident: int  # bytes


@dataclass
class SessionUsage:
    """The processes of one container together."""

    cpu: float = 0.0  # seconds of the processes alive and of those they have waited for
    resident: int = 0  # bytes
    pids: list[int] = field(default_factory=list)


def processes() -> list[ProcessUsage]:
    """All processes that can be seen, zombies aside."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [usage for pid in pids if (usage := _read(pid)) is not None]


def by_session(sessions: Iterable[int], seen: list[ProcessUsage]) -> dict[int, SessionUsage]:
    """Usage of each of `sessions`. A process that left for a session of its own still counts for
    the one that its nearest ancestor is in."""
    wanted = set(sessions)
    known = {process.pid: process for process in seen}
    totals = {session: SessionUsage() for session in wanted}
    for process in seen:
        home = _home(process, known, wanted)
        if home is not None:
            total = totals[home]
            total.cpu += process.cpu
            total.resident += process.resident
            total.pids.append(process.pid)
    return totals


def session_members(session: int) -> list[int]:
    """Processes of the session, and their descendants in other sessions."""
    return by_session([session], processes())[session].pids


def proportional(pids: Iterable[int]) -> int:
    """Bytes of memory that `pids` use together (PSS); slower than the resident size."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # it ended
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def _home(process: ProcessUsage, known: dict[int, ProcessUsage], wanted: set[int]) -> int | None:
    seen: set[int] = set()
    current: ProcessUsage | None = process
    while current is not None and current.pid not in seen:
        if current.session in wanted:
            return current.session
        seen.add(current.pid)
        current = known.get(current.parent)
    return None


def _read(pid: int) -> ProcessUsage | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # pid (comm) state ppid pgrp session …: comm may hold blanks and parentheses
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if not fields or fields[0] in (b"Z", b"X"):
        return None
    return ProcessUsage(
        pid=pid,
        parent=int(fields[1]),
        session=int(fields[3]),
        cpu=sum(int(value) for value in fields[11:15]) / _TICK,  # utime stime cutime cstime
        resident=int(fields[21]) * _PAGE,
    )
