"""The processes in which samplers think (`python -m pawl.search`), one a search that is under way.

Nobody waits for one: what is asked of it is asked in the background, and the TrainingJob is looked
at again when the answer is there. A process that dies, or is not used for a while, is no loss: the
next one gets all trials and is the same study.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from pydantic import ValidationError

from pawl.search.protocol import MOST_BYTES, Begin, Known, Proposal, Reply, Request

log = logging.getLogger(__name__)
#: Processes at once; each has about 70 MB.
_MOST = 8
_IDLE_SECONDS = 120.0
#: For an answer; a sampler that rebuilds a long search needs some.
_PATIENCE = 600.0
_PAUSE = 10.0
#: Variables that such a process gets; no credentials are among them.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LANG", "HOME", "TMPDIR")


@dataclass
class _Active:
    """One process: what it was sent, what it has proposed and would prune."""

    begin: Begin
    process: asyncio.subprocess.Process | None = None
    task: asyncio.Task[None] | None = None
    sent: dict[int, Known] = field(default_factory=dict)
    proposals: dict[int, Proposal] = field(default_factory=dict)
    prune: frozenset[int] = frozenset()
    error: str = ""
    used: float = 0.0
    rest_until: float = 0.0


class Studies:
    """By the key of a search."""

    def __init__(self) -> None:
        self._active: dict[str, _Active] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def look(
        self,
        key: str,
        begin: Begin,
        trials: Mapping[int, Known],
        wanted: int,
        wake: Callable[[], None],
    ) -> Reply:
        """What is known by now: proposals beyond `trials`, whom to prune, why it cannot go on. When
        fewer than `wanted` are, or trials have changed, it is asked, and `wake` is called then."""
        now = asyncio.get_running_loop().time()
        active = self._active.get(key)
        if active is None or active.begin != begin:
            self._end(key)
            active = self._active[key] = _Active(begin)
        active.used = now
        ready = tuple(p for n, p in sorted(active.proposals.items()) if n not in trials)
        changed = tuple(known for n, known in trials.items() if active.sent.get(n) != known)
        news = any(known.reports and known.outcome is None for known in changed)
        missing = max(0, wanted - len(ready))
        idle = active.task is None or active.task.done()
        if idle and (missing or news) and not active.error and now >= active.rest_until:
            self._make_room(key)
            request = Request(trials=changed, ask=missing)
            active.task = asyncio.create_task(self._ask(key, active, request, wake))
        return Reply(
            proposals=ready[:wanted], prune=tuple(sorted(active.prune)), error=active.error
        )

    def end(self, key: str) -> None:
        """The search is over."""
        self._end(key)

    def rest(self) -> None:
        """Ends what was not used for a while."""
        now = asyncio.get_running_loop().time()
        for key in [k for k, a in self._active.items() if now - a.used > _IDLE_SECONDS]:
            self._end(key)

    async def close(self) -> None:
        """Ends all processes."""
        for key in list(self._active):
            self._end(key)
        await asyncio.gather(*self._ending)

    async def _ask(
        self, key: str, active: _Active, request: Request, wake: Callable[[], None]
    ) -> None:
        try:
            reply = await asyncio.wait_for(_exchange(active, request), _PATIENCE)
        except (OSError, TimeoutError, ValueError, ValidationError) as error:
            log.warning("the process of search %s: %r; it is begun anew", key, error)
            self._bury(active.process)
            active.process, active.sent = None, {}
            active.proposals, active.prune = {}, frozenset()
            active.rest_until = asyncio.get_running_loop().time() + _PAUSE
            await asyncio.sleep(_PAUSE)
        else:
            active.sent |= {known.number: known for known in request.trials}
            active.proposals |= {proposal.number: proposal for proposal in reply.proposals}
            active.prune, active.error = frozenset(reply.prune), reply.error
        wake()

    def _make_room(self, key: str) -> None:
        """The one that was not used for longest goes, if there are too many."""
        running = {k: a for k, a in self._active.items() if a.process is not None and k != key}
        if len(running) >= _MOST:
            self._end(min(running, key=lambda other: running[other].used))

    def _end(self, key: str) -> None:
        active = self._active.pop(key, None)
        if active is not None:
            if active.task is not None:
                active.task.cancel()
            self._bury(active.process, active.task)

    def _bury(
        self, process: asyncio.subprocess.Process | None, task: asyncio.Task[None] | None = None
    ) -> None:
        if process is not None:
            ending = asyncio.create_task(_ended(process, task))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)


async def _exchange(active: _Active, request: Request) -> Reply:
    if active.process is None:
        active.process = await _start()
        await _write(active.process, active.begin.model_dump_json(by_alias=True))
    await _write(active.process, request.model_dump_json(by_alias=True))
    if active.process.stdout is None:
        raise OSError("no stdout")
    line = await active.process.stdout.readline()
    if not line:
        raise OSError("it has ended")
    return Reply.model_validate_json(line)


async def _start() -> asyncio.subprocess.Process:
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pawl.search",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**environment, "OMP_NUM_THREADS": "1"},
        limit=MOST_BYTES,
    )  # fmt: skip


async def _write(process: asyncio.subprocess.Process, text: str) -> None:
    if process.stdin is None:
        raise OSError("no stdin")
    process.stdin.write(text.encode() + b"\n")
    await process.stdin.drain()


async def _ended(process: asyncio.subprocess.Process, task: asyncio.Task[None] | None) -> None:
    """Kills it and closes its pipes, once nobody reads from them."""
    with suppress(ProcessLookupError):
        process.kill()
    if task is not None:
        await asyncio.wait([task])
    with suppress(OSError):
        await process.communicate()
