"""`pawl data profile` prints what can be pasted into a TrainingJob."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pawl.api.data import Data
from pawl.cli import command_line
from pawl.errors import UserError


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("id,n,y\n" + "".join(f"c{i},{i % 7},{'ab'[i % 2]}\n" for i in range(60)))
    return path


def test_a_profile_is_a_data_section(sample: Path) -> None:
    done = CliRunner().invoke(command_line(), ["data", "profile", str(sample), "--target", "y"])
    data = Data.model_validate(yaml.safe_load(done.stdout)["data"])
    assert (data.uri, data.task, data.id_columns) == (sample.as_uri(), "binary", ("id",))
    assert data.checks[0].min_rows == 30


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["--target", "z"], 'no column "z"', id="no such target"),
        pytest.param(["--format", "xls"], "csv, parquet or jsonl", id="no such format"),
    ],
)
def test_what_cannot_be_profiled_is_told(sample: Path, words: list[str], said: str) -> None:
    done = CliRunner().invoke(command_line(), ["data", "profile", str(sample), *words])
    assert isinstance(done.exception, UserError)
    assert said in str(done.exception)
