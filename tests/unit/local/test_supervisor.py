import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pawl.local import supervisor
from pawl.local.node.process import Process, Spawner
from pawl.local.supervisor import Supervisor

ENV = {"PATH": "/usr/bin:/bin"}


@pytest.fixture
async def spawner() -> AsyncIterator[Spawner]:
    spawner = Spawner(f"test-{os.getpid()}-supervisor")
    yield spawner
    await asyncio.to_thread(spawner.close)


async def test_it_starts_again_what_dies_and_ends_it_gracefully(
    spawner: Spawner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE", 0.01)
    started: asyncio.Queue[Process] = asyncio.Queue()

    def start(output: int) -> Process:
        script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done"
        process = spawner.spawn(
            ["sh", "-c", script], env=ENV, cwd=str(tmp_path), stdout=output, stderr=output
        )
        started.put_nowait(process)
        return process

    log = tmp_path / "log"
    running = asyncio.create_task(Supervisor("thing", start, log).run())
    async with asyncio.timeout(10):
        first = await started.get()
        while "up" not in log.read_text():  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.005)
        os.kill(first.pid, signal.SIGKILL)
        second = await started.get()
        assert second.pid != first.pid
        while log.read_text().count("up") < 2:  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.005)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    assert (await second.wait()).code == 0
    assert log.read_text() == "up\nup\nbye\n"
