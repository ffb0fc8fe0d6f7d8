"""What the pages promise is what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pawl import constants
from pawl.api.metrics import DEFAULT_METRICS, metrics_for

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_table_of_metrics_is_complete(task: str) -> None:
    text = (DOCS / "training.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith(f"| {task} |"))
    assert set(re.findall(r"[a-z][a-z0-9_]+", row)) - {task} == set(metrics_for(task))  # type: ignore[arg-type]
    assert tuple(re.findall(r"\*\*(\w+)\*\*", row)) == DEFAULT_METRICS[task]  # type: ignore[index]


def test_the_exit_codes_are_those_of_the_job() -> None:
    text = (DOCS / "file-contract.md").read_text()
    assert f"| {constants.EXIT_USER_ERROR} | the input is wrong" in text
    assert f"| {constants.EXIT_STORE_UNREACHABLE} | the artifact store" in text
    assert f"| {constants.EXIT_NO_NEW_DATA} | of `prepare` only" in text


def test_the_variables_are_those_of_the_pod() -> None:
    text = (DOCS / "file-contract.md").read_text()
    for name in (
        constants.ENV_DATA_DIR,
        constants.ENV_PARAMETERS,
        constants.ENV_OUTPUT_DIR,
        constants.ENV_SEED,
    ):
        assert f"| `{name}` |" in text
