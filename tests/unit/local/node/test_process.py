import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from pawl.local.node import usage
from pawl.local.node.launch import Launch, execute
from pawl.local.node.paths import Rewriter
from pawl.local.node.process import Exit, Process, Spawner

ENV = {"PATH": "/usr/bin:/bin"}


def alive(pid: int) -> bool:
    return any(process.pid == pid for process in usage.processes())


async def until(condition: Callable[[], bool]) -> None:
    """Processes and files tell nobody when they change, so they are looked at again and again."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.fixture
async def spawner() -> AsyncIterator[Spawner]:
    spawner = Spawner(f"test-{os.getpid()}-{id(object())}")
    yield spawner
    await asyncio.to_thread(spawner.close)


def start(spawner: Spawner, cwd: Path, script: str) -> Process:
    return spawner.spawn(
        ["sh", "-c", script],
        env=ENV,
        cwd=str(cwd),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("exit 0", Exit(0)),
        ("exit 3", Exit(3)),
        ("kill -TERM $$", Exit(143, 15)),
        ("kill -KILL $$", Exit(137, 9)),
    ],
)
async def test_exit_codes(spawner: Spawner, tmp_path: Path, script: str, expected: Exit) -> None:
    assert await start(spawner, tmp_path, script).wait() == expected


async def test_a_program_that_is_not_there_is_an_error(spawner: Spawner, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        spawner.spawn(["no-such-program"], env=ENV, cwd=str(tmp_path), stdout=-3, stderr=-3)


async def test_children_end_with_the_main_process(spawner: Spawner, tmp_path: Path) -> None:
    process = start(spawner, tmp_path, "sleep 600 & echo $! > child; exit 0")
    await process.wait()
    child = int((tmp_path / "child").read_text())
    await until(lambda: not alive(child))


async def test_kill_reaches_what_ignores_signals_and_other_sessions(
    spawner: Spawner, tmp_path: Path
) -> None:
    script = "trap '' TERM; setsid sleep 600 & echo $! > child; echo > ready; sleep 600; sleep 600"
    process = start(spawner, tmp_path, script)
    await until((tmp_path / "ready").exists)
    child = int((tmp_path / "child").read_text())
    process.send(signal.SIGTERM)
    assert process.alive
    process.kill()
    assert (await process.wait()).code == 137
    await until(lambda: not alive(child))


async def test_memory_and_cpu_of_a_session_are_summed(spawner: Spawner, tmp_path: Path) -> None:
    code = "import time; x = bytearray(64 << 20); print(flush=True); time.sleep(600)"
    out = os.open(tmp_path / "out", os.O_CREAT | os.O_WRONLY)
    process = spawner.spawn(
        [sys.executable, "-c", code], env=ENV, cwd=str(tmp_path), stdout=out, stderr=out
    )
    os.close(out)
    await until(lambda: (tmp_path / "out").stat().st_size > 0)
    found = usage.by_session([process.pid], usage.processes())[process.pid]
    assert found.pids == [process.pid]
    assert found.resident > 64 << 20
    assert 64 << 20 < usage.proportional(found.pids) <= found.resident + (1 << 20)
    assert found.cpu > 0


async def test_execute_collects_output_and_exit_code(spawner: Spawner, tmp_path: Path) -> None:
    launch = Launch([], ENV, str(tmp_path), "127.0.0.1", {}, Rewriter.of({}, "127.0.0.1"))
    good = await execute(spawner, launch, ["sh", "-c", "echo out; echo err >&2"], 5)
    bad = await execute(spawner, launch, ["sh", "-c", "echo no; exit 4"], 5)
    missing = await execute(spawner, launch, ["no-such-program"], 5)
    assert (good.success, sorted(good.output.split())) == (True, ["err", "out"])
    assert (bad.success, bad.output) == (False, "no\n")
    assert not missing.success
    assert "executable file not found in $PATH" in missing.output


async def test_execute_ends_a_command_that_takes_too_long(spawner: Spawner, tmp_path: Path) -> None:
    launch = Launch([], ENV, str(tmp_path), "127.0.0.1", {}, Rewriter.of({}, "127.0.0.1"))
    outcome = await execute(spawner, launch, ["sh", "-c", "echo $$ > pid; sleep 600"], 0.2)
    assert not outcome.success
    assert "timed out" in outcome.output
    pid = int((tmp_path / "pid").read_text())
    await until(lambda: not alive(pid))


_CLUSTER = """
import asyncio, os, pathlib, subprocess, sys
from pawl.local.node.process import Spawner

async def main():
    spawner = Spawner("doomed-" + str(os.getpid()))
    script = "setsid env -i sleep 600 & echo $! > a; sleep 600 & echo $! > b; wait"
    process = spawner.spawn(["sh", "-c", script], env={"PATH": "/usr/bin:/bin"},
                            cwd=sys.argv[1], stdout=-3, stderr=-3)
    pathlib.Path(sys.argv[1], "main").write_text(str(process.pid))
    await process.wait()

asyncio.run(main())
"""


async def test_nothing_survives_the_sudden_death_of_the_cluster(tmp_path: Path) -> None:
    cluster = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CLUSTER, str(tmp_path), env={"PYTHONPATH": ":".join(sys.path)}
    )
    files = [tmp_path / name for name in ("a", "b", "main")]
    await until(lambda: all(file.exists() and file.read_text().strip() for file in files))
    cluster.kill()
    await cluster.wait()
    pids = [int(file.read_text()) for file in files]
    await until(lambda: not any(alive(pid) for pid in pids))
