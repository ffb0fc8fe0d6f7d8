"""Trials in the store: what is there stands, and is read once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.store import open_store
from pawl.artifacts.trials import Scored, Trial, scored_path, trial_path
from pawl.control.trials import Trials
from pawl.errors import StoreError

UID = "u-1"


def trial(number: int, value: float = 0.5) -> Trial:
    return Trial(number=number, parameters={"C": 1}, outcome="Succeeded", values={"auc": value})


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, asked: list[str]) -> Callable[[], Trials]:
    """Operators, one after the other, of one store."""

    async def do(operation: str, work: Callable[[], Any]) -> Any:
        asked.append(operation)
        return work()

    return lambda: Trials(open_store(tmp_path.as_uri()), do)


async def test_another_operator_reads_what_one_has_written(make: Callable[[], Trials]):
    await make().record(UID, 1, trial(0))
    assert await make().records(UID, 1) == {0: trial(0)}
    assert await make().records(UID, 2) == {}


async def test_the_first_record_of_a_trial_stands(make: Callable[[], Trials]):
    await make().record(UID, 1, trial(0, 0.9))
    late = make()
    await late.records(UID, 1)
    await late.record(UID, 1, trial(0, 0.1))
    assert (await late.records(UID, 1))[0].values == {"auc": 0.9}


async def test_all_are_read_once(make: Callable[[], Trials], asked: list[str]):
    trials = make()
    for _ in range(3):
        await trials.records(UID, 1)
    assert asked == ["trials"]


async def test_a_score_is_waited_for_and_then_remembered(
    make: Callable[[], Trials], tmp_path: Path, asked: list[str]
):
    trials = make()
    assert await trials.scored(UID, 1, [0]) == {}
    score = Scored(number=0, parameters={}, values={"auc": 1.0}, data_digest="d")
    open_store(tmp_path.as_uri()).put(scored_path(UID, 1, 0), canonical_json(score))
    for _ in range(2):
        assert await trials.scored(UID, 1, [0]) == {0: score}
    assert asked == ["scored", "scored"]


async def test_a_score_is_no_record(make: Callable[[], Trials], tmp_path: Path):
    score = Scored(number=0, parameters={}, values={"auc": 1.0}, data_digest="d")
    open_store(tmp_path.as_uri()).put(scored_path(UID, 1, 0), canonical_json(score))
    assert await make().records(UID, 1) == {}


async def test_what_is_no_record_is_the_stores_fault(make: Callable[[], Trials], tmp_path: Path):
    open_store(tmp_path.as_uri()).put(trial_path(UID, 1, 0), b"{}")
    with pytest.raises(StoreError, match="cannot be read"):
        await make().records(UID, 1)


async def test_who_does_not_search_any_more_is_forgotten(
    make: Callable[[], Trials], asked: list[str]
):
    trials = make()
    await trials.records(UID, 1)
    trials.forget(())
    await trials.records(UID, 1)
    assert asked == ["trials", "trials"]
