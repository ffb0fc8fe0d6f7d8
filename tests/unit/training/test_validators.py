"""What a source tells of its files changes with their content, or it is not taken for an answer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pawl.errors import DataError
from pawl.training import validators

SOON = 3.0  # seconds after which a file is not young any more


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("n\n1\n")
    return tmp_path


def told(lake: Path, *, after: float = SOON) -> Any:
    return validators.of(lake.as_uri(), None, time.time() + after)


def same_time(path: Path, content: str) -> None:
    """Other content, with the time of modification of before: the time of change is another."""
    before = path.stat()
    path.write_text(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_files_that_nobody_touched_are_as_they_were(lake: Path) -> None:
    assert told(lake) == told(lake)
    assert [name for name, _, _ in told(lake)] == [str(lake / "a.csv"), str(lake / "b.csv")]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda lake: (lake / "a.csv").write_text("n\n1\n2\n"), id="other size"),
        pytest.param(lambda lake: same_time(lake / "a.csv", "n\n2\n"), id="same size and time"),
        pytest.param(lambda lake: (lake / "c.csv").write_text(""), id="another file"),
        pytest.param(lambda lake: (lake / "a.csv").unlink(), id="a file less"),
        pytest.param(lambda lake: (lake / "b.csv").replace(lake / "a.csv"), id="another's place"),
    ],
)
def test_a_change_is_seen(lake: Path, change: Callable[[Path], object]) -> None:
    before = told(lake)
    assert before is not None
    change(lake)
    assert told(lake) != before


def test_a_file_that_may_be_written_again_at_the_same_time_tells_nothing(lake: Path) -> None:
    assert told(lake, after=0.0) is None


def test_what_is_not_there_is_told(lake: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        validators.of((lake / "x.csv").as_uri(), None, 0.0)


def test_a_claim_is_looked_into(lake: Path) -> None:
    found = validators.of("pvc://lake/a.csv", lake, time.time() + SOON)
    assert [size for _, size, _ in found or ()] == [4]


def test_what_cannot_be_asked_tells_nothing() -> None:
    assert validators.of("ftp://host/x.csv", None, 0.0) is None
