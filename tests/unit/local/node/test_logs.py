import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pawl.local.node.logs import LogFile, Selection, read, tail

NOW = datetime.now(UTC)


async def collect(path: Path, selection: Selection, live: LogFile | None = None) -> bytes:
    return b"".join([block async for block in read(path, selection, live)])


def finished(path: Path, out: bytes, max_bytes: int = 10**6, err: bytes = b"") -> LogFile:
    """A log of a process that wrote this and ended."""
    log = LogFile(path, max_bytes)
    stdout, stderr = log.capture()
    os.write(stdout, out)
    os.write(stderr, err)
    os.close(stdout)
    os.close(stderr)
    log.finish()
    return log


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        pytest.param(Selection(), b"a\nb\nc\n", id="all"),
        pytest.param(Selection(tail_lines=2), b"b\nc\n", id="tail"),
        pytest.param(Selection(tail_lines=0), b"", id="tail 0"),
        pytest.param(Selection(tail_lines=9), b"a\nb\nc\n", id="tail of more than there is"),
        pytest.param(Selection(limit_bytes=3), b"a\nb", id="limit"),
        pytest.param(Selection(since=NOW + timedelta(hours=1)), b"", id="since later"),
        pytest.param(Selection(since=NOW - timedelta(hours=1)), b"a\nb\nc\n", id="since earlier"),
    ],
)
async def test_selections(tmp_path: Path, selection: Selection, expected: bytes) -> None:
    finished(tmp_path / "0.log", b"a\nb\nc\n")
    assert await collect(tmp_path / "0.log", selection) == expected


async def test_both_streams_are_kept_and_a_last_line_without_newline(tmp_path: Path) -> None:
    finished(tmp_path / "0.log", b"out", err=b"err\n")
    found = await collect(tmp_path / "0.log", Selection())
    assert found in (b"outerr\n", b"err\nout")
    assert await collect(tmp_path / "0.log", Selection(tail_lines=2)) == found


async def test_a_long_line_is_cut_on_disk_and_whole_again_when_read(tmp_path: Path) -> None:
    line = b"x" * 50_000
    finished(tmp_path / "0.log", line + b"\nend\n")
    records = (tmp_path / "0.log").read_bytes().splitlines()
    assert max(map(len, records)) < 17_000
    assert await collect(tmp_path / "0.log", Selection()) == line + b"\nend\n"
    assert await collect(tmp_path / "0.log", Selection(tail_lines=2)) == line + b"\nend\n"
    with_times = await collect(tmp_path / "0.log", Selection(timestamps=True))
    assert with_times.count(b"Z ") == 2


async def test_a_log_is_bounded_and_keeps_its_newest_lines(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    log = LogFile(path, max_bytes=4000)
    for number in range(200):
        stdout, stderr = log.capture()
        os.write(stdout, b"line %d\n" % number)
        os.close(stdout)
        os.close(stderr)
        log.drain()
    log.finish()
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) <= 8000
    assert (await collect(path, Selection())).endswith(b"line 198\nline 199\n")


async def test_following_sees_everything_until_the_end_across_rotation(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    log = LogFile(path, max_bytes=2000)
    follower = asyncio.create_task(collect(path, Selection(follow=True), log))
    expected = b""
    for number in range(100):
        stdout, stderr = log.capture()
        os.write(stdout, b"line %d\n" % number)
        expected += b"line %d\n" % number
        os.close(stdout)
        os.close(stderr)
        log.drain()
        for _ in range(3):
            await asyncio.sleep(0)
    log.finish()
    assert await asyncio.wait_for(follower, 5) == expected


async def test_the_tail_is_bounded_in_bytes(tmp_path: Path) -> None:
    finished(tmp_path / "0.log", b"a\n" * 50 + b"end\n")
    assert tail(tmp_path / "0.log", lines=80, max_bytes=6) == "a\nend\n"


async def test_a_slow_follower_ends_when_the_pod_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    log = LogFile(path)
    stdout, stderr = log.capture()
    os.write(stdout, b"seen\n")
    os.close(stdout)
    os.close(stderr)
    log.drain()
    blocks = read(path, Selection(follow=True), log)
    assert await anext(blocks) == b"seen\n"
    log.finish()
    path.unlink()
    assert [block async for block in blocks] == []
