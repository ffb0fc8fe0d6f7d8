"""Gates on slices: which rows belong to which, and what is told of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pawl.api.evaluation import Gate
from pawl.errors import DataError
from pawl.stats.metrics import Answers
from pawl.training.gate_slices import bound, champion, require_values, values_of
from pawl.training.gates import Rival

N = 600


def gate(**fields: Any) -> Gate:
    return Gate.model_validate({"metric": "accuracy", "slice": {"column": "plan"}, **fields})


def rows() -> tuple[pa.Table, Any]:
    """Three plans by turns, of which one has 30 rows."""
    plan = np.array(["basic", "pro"])[np.arange(N) % 2]
    plan[:30] = "trial"
    return pa.table({"plan": plan}), np.ones(N, dtype=np.int64)


def wrong(table: pa.Table, share: float, plan: str = "pro") -> Answers:
    """Wrong in that share of the rows of a plan."""
    at = np.flatnonzero(np.asarray(table.column("plan")) == plan)
    said = np.ones(N, dtype=np.int64)
    said[at[: int(len(at) * share)]] = 0
    return Answers(labels=said)


def decide(said: Answers, **fields: Any) -> Any:
    table, truth = rows()
    wanted = gate(min=0.8, **fields)
    assert wanted.slice is not None
    return bound(wanted, wanted.slice, table, truth, said, seed=1)


def test_a_bad_slice_fails_though_the_whole_is_good() -> None:
    said = wrong(rows()[0], 0.3)
    assert (said.labels == 1).mean() > 0.8
    result = decide(said)
    assert (result.verdict, result.kind, result.column) == ("Fail", "min", "plan")
    told = [(part.name, part.verdict, part.n) for part in result.slices]
    assert told == [("pro", "Fail", 285), ("basic", "Pass", 285), ("trial", "Inconclusive", 30)]
    assert result.slices[-1].value is None
    assert result.value == result.slices[0].value
    assert "accuracy is 0.7018 where plan is pro, the worst of 2 slices (limit min 0.8" in (
        result.message
    )
    assert "not judged, with fewer than 100 rows: trial" in result.message


def test_one_value_is_looked_at_alone() -> None:
    said = wrong(rows()[0], 0.3)
    result = decide(said, slice={"column": "plan", "value": "basic"})
    assert (result.verdict, [part.name for part in result.slices]) == ("Pass", ["basic"])


def test_fewer_rows_are_enough_when_that_is_said() -> None:
    said = wrong(rows()[0], 1.0, "trial")
    assert decide(said).verdict == "Pass"
    assert decide(said, slice={"column": "plan", "minRows": 30}).verdict == "Fail"


def test_no_slice_with_rows_enough_says_nothing() -> None:
    result = decide(wrong(rows()[0], 0.0), slice={"column": "plan", "value": "trial"})
    assert (result.verdict, result.value, result.n) == ("Inconclusive", None, 0)


@pytest.mark.parametrize(
    ("mine", "other", "verdict"),
    [(0.0, 0.3, "Pass"), (0.3, 0.0, "Fail"), (0.02, 0.02, "Pass")],
)
def test_the_champion_is_met_slice_by_slice(mine: float, other: float, verdict: str) -> None:
    table, truth = rows()
    rival = Rival(truth, wrong(table, mine), wrong(table, other), table=table)
    wanted = gate(champion={"notWorseBy": 0.01})
    assert wanted.slice is not None
    result = champion(wanted, wanted.slice, rival, 0.01, seed=1)
    assert (result.verdict, result.kind) == (verdict, "champion")
    assert {part.name for part in result.slices} == {"basic", "pro", "trial"}
    assert "the advantage in accuracy is" in result.message


def test_values_are_texts_whatever_the_column_holds() -> None:
    table = pa.table({"a": [1.0, None], "b": [True, False], "c": ["x", ""]})
    assert values_of(table, "a").tolist() == ["1", "(missing)"]
    assert values_of(table, "b").tolist() == ["true", "false"]
    assert values_of(table, "c").tolist() == ["x", "(missing)"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param(
            {"slice": {"column": "n"}}, "has 60; at most 50 can be judged", id="too many values"
        ),
        pytest.param(
            {"slice": {"column": "n", "value": "x"}}, 'no row has "x"', id="a value that is not"
        ),
    ],
)
def test_what_cannot_be_judged_is_refused_before_training(
    fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        require_values(pa.table({"n": list(range(60))}), (gate(min=0.1, **fields),))


def test_one_of_many_values_can_be_asked_for() -> None:
    one = gate(min=0.1, slice={"column": "n", "value": "59"})
    require_values(pa.table({"n": list(range(60))}), (one,))
