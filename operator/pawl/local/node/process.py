"""One process of a container: its own session, so that all of it can be found and killed.

`Spawner` starts processes and tells the guardian of each. No preexec code is run: the child is
made by vfork, which stays cheap however large the cluster process is, and safe with threads.
The end of a process is read from a pidfd, so no child watcher, signal handler or thread is needed.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pawl.local.node import guardian
from pawl.local.node.usage import session_members


@dataclass(frozen=True)
class Exit:
    """`code` as a container runtime reports it: 128 + signal for a process that was killed."""

    code: int
    signal: int = 0


class Process:
    """A started process. `pid` is its session and process group as well."""

    def __init__(self, popen: "subprocess.Popen[bytes]") -> None:
        self._popen = popen
        self.pid = popen.pid
        self._pidfd = os.pidfd_open(popen.pid)
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[Exit] = loop.create_future()
        loop.add_reader(self._pidfd, self._on_exit, loop)

    @property
    def alive(self) -> bool:
        return not self.exited.done()

    def send(self, number: signal.Signals) -> None:
        """Signal the main process only: what a container runtime signals is process 1."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def kill(self) -> None:
        """SIGKILL to the whole session."""
        if self.alive:
            self._kill_session()

    async def wait(self) -> Exit:
        return await asyncio.shield(self.exited)

    def _kill_session(self) -> None:
        for pid in {self.pid, *session_members(self.pid)}:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def _on_exit(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_reader(self._pidfd)
        # The zombie still holds the session's id, so it can belong to nobody else. As with a
        # process namespace, the others end with process 1.
        self._kill_session()
        status = self._popen.wait()
        os.close(self._pidfd)
        exit_ = Exit(128 - status, -status) if status < 0 else Exit(status)
        if not self.exited.done():
            self.exited.set_result(exit_)


class Spawner:
    """Starts processes that do not outlive this one."""

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        self._guardian: subprocess.Popen[bytes] | None = None
        self._sessions: set[int] = set()

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        stdout: int | BinaryIO,
        stderr: int | BinaryIO,
    ) -> Process:
        """Start `argv` (looked up in the PATH of `env`). Raises OSError when it cannot be."""
        self._keep_guardian()
        popen = subprocess.Popen(  # noqa: S603 - running commands is what a node is for
            list(argv),
            env={**env, guardian.MARKER: self.cluster},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        process = Process(popen)
        self._tell(f"{process.pid}\n")
        self._sessions.add(process.pid)
        process.exited.add_done_callback(lambda _: self._forget(process.pid))
        return process

    def close(self) -> None:
        """Let the guardian kill whatever is left, and wait for it."""
        if self._guardian is not None:
            assert self._guardian.stdin is not None  # noqa: S101 - it was opened with a pipe
            with contextlib.suppress(BrokenPipeError):
                self._guardian.stdin.close()
            self._guardian.wait(guardian.PATIENCE + 5)
            self._guardian = None

    def _forget(self, session: int) -> None:
        self._sessions.discard(session)
        self._tell(f"-{session}\n")

    def _tell(self, line: str) -> None:
        if self._guardian is None or self._guardian.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):  # it was killed: the next spawn starts another
            self._guardian.stdin.write(line.encode())
            self._guardian.stdin.flush()

    def _keep_guardian(self) -> None:
        """Start the guardian, again if somebody killed it."""
        if self._guardian is not None and self._guardian.poll() is None:
            return
        self._guardian = subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, "-I", "-S", str(Path(guardian.__file__)), self.cluster],
            stdin=subprocess.PIPE,
            env={},
            cwd="/",
            start_new_session=True,
        )
        for session in self._sessions:
            self._tell(f"{session}\n")
