"""The commands."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pawl.artifacts.store import open_store
from pawl.capture.expire import expire
from pawl.capture.keyed import keyed_hash
from pawl.capture.main import main, store_at
from pawl.cli import command_line
from pawl.errors import UserError

DAY = 86_400.0
Said = Callable[[], str]


@pytest.fixture(name="said")
def what_was_said(capsys: pytest.CaptureFixture[str]) -> Said:
    return lambda: capsys.readouterr().out


def test_files_are_counted_by_day(lake: Any, said: Said) -> None:
    lake.predictions(("1", 30, "a"))
    lake.predictions(("2", 30, "a"))
    lake.feedback(("1", "yes"))
    main(["list", "--uri", lake.uri])
    assert said().splitlines() == [
        "feedback/date=2025-11-27: 1 files",
        "predictions/version=7/date=2025-11-26: 2 files",
        "3 files",
    ]


def test_a_table_is_written_and_replaced(lake: Any, said: Said) -> None:
    lake.predictions(("1", 30, "a"), ("2", 31, "b"))
    out = lake.folder.parent / "train" / "rows.parquet"
    words = ["join", "--uri", lake.uri, "--out", out.as_uri(), "--target", "y"]
    for count, id_ in enumerate("12", 1):
        lake.feedback((id_, "yes"))
        main(words)
        assert pq.read_table(out).column("y").to_pylist() == ["yes"] * count
    assert said().splitlines()[-1] == "2 rows; 0 are too young, 0 untold"


def test_a_hashed_value_is_erased_with_the_key_of_the_environment(
    lake: Any, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = b"k" * 32
    lake.predictions(("1", 30, keyed_hash(key, "a=b")), ("2", 31, "x"), hashed=True)
    monkeypatch.setenv("PAWL_FEEDBACK_KEY", base64.b64encode(key).decode())
    main(["erase", "--uri", lake.uri, "--key", "email=a=b"])
    assert said() == "1 predictions and 0 truths, of 1 files\n"
    assert lake.ids("predictions") == ["2"]


def test_old_days_expire_whole(lake: Any, noon: float) -> None:
    lake.predictions(("1", 30, "a"))
    lake.predictions(("2", 30, "a"), days=1)
    lake.feedback(("1", "yes"), days=2)
    assert expire(lake.store, noon + 0.4 * DAY) == (0, 3)
    assert expire(lake.store, noon + 0.6 * DAY) == (1, 2)
    assert lake.ids("predictions") == ["2"]


def test_expire_takes_a_duration(lake: Any, said: Said) -> None:
    lake.predictions(("1", 30, "a"), days=-9000)
    main(["expire", "--uri", lake.uri, "--older-than", "9000d"])
    assert said() == "1 files deleted, 0 are left\n"


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["erase", "--key", "email"], id="no value"),
        pytest.param(["join", "--out", "file:///x/folder"], id="a folder"),
        pytest.param(["join", "--out", "file:///x.parquet", "--target", "age"], id="the target"),
    ],
)
def test_what_cannot_be_done_is_told(words: list[str], lake: Any) -> None:
    lake.predictions(("1", 30, "a"))
    lake.feedback(("1", "yes"))
    with pytest.raises(UserError):
        main([*words, "--uri", lake.uri])


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["expire", "--uri", "file:///x", "--older-than", "soon"], id="a duration"),
        pytest.param(["join", "--uri", "file:///x", "--out", "y", "--since", "now"], id="a day"),
        pytest.param(["erase"], id="nothing"),
        pytest.param([], id="no command"),
    ],
)
def test_wrong_words_end_with_the_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(words)


def test_the_command_line_has_them_all(lake: Any) -> None:
    lake.predictions(("1", 30, "a"))
    result = CliRunner().invoke(command_line(), ["capture", "list", "--uri", lake.uri])
    assert result.output.endswith("1 files\n")


def test_a_claim_is_where_the_environment_says(tmp_path: Path) -> None:
    env = {"PAWL_CLAIM_DIR": str(tmp_path / "claim")}
    assert store_at("pvc://lake/a/b", env).uri == (tmp_path / "claim/a/b").as_uri()
    assert store_at("file:///a", env).uri == open_store("file:///a").uri
    for uri in ("pvc://lake/../x", "pvc://lake/%2e%2e/x"):
        with pytest.raises(UserError):
            store_at(uri, env)
    with pytest.raises(UserError, match="must be mounted"):
        store_at("pvc://lake/a", {})
