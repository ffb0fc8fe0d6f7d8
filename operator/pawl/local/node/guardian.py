"""A process that outlives the cluster by a moment and kills what the cluster left behind.

Run as `python -I -S guardian.py CLUSTER_ID` with a pipe on standard input. The cluster writes the
session id of every process it starts, one per line. When the pipe ends — the cluster has stopped,
was killed, or crashed — every process of these sessions, and every process whose environment
carries PAWL_LOCAL_CLUSTER=CLUSTER_ID, gets SIGKILL. It imports nothing of Pawl and as little as
possible else: one of them idles per cluster.
"""

import os
import signal
import sys
import time

MARKER = "PAWL_LOCAL_CLUSTER"
PATIENCE = 10.0  # seconds; a process in uninterruptible sleep is not waited for longer


def leftovers(sessions: set[int], marker: bytes) -> list[int]:
    """Processes alive that belong to the cluster, and their descendants wherever they went.

    Zombies do not count: they hold nothing.
    """
    parents = {}
    found = set()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # pid (comm) state ppid pgrp session …; comm may hold blanks and parentheses
                fields = file.read().rpartition(b")")[2].split()
            if not fields or fields[0] in (b"Z", b"X"):
                continue
            parents[int(name)] = int(fields[1])
            if int(fields[3]) in sessions or marked(name, marker):
                found.add(int(name))
        except OSError:
            continue  # it ended meanwhile, or it is another user's
    grown = True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in found} - found
        found |= children
        grown = bool(children)
    return sorted(found)


def marked(pid: str, marker: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return marker in file.read().split(b"\0")
    except OSError:
        return False


def sweep(sessions: set[int], marker: bytes) -> None:
    """Kill until nothing is left; a process may start another while it is being killed."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        pids = leftovers(sessions, marker)
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        time.sleep(0.01)


def main(cluster: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sessions = set()
    for line in sys.stdin.buffer:
        word = line.strip()
        if word.startswith(b"-"):
            sessions.discard(int(word[1:]))
        elif word:
            sessions.add(int(word))
    sweep(sessions, f"{MARKER}={cluster}".encode())


if __name__ == "__main__":
    main(sys.argv[1])
