"""Cases are read strictly, must fit the model, and say in a sentence what fails."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pawl.artifacts.canonical import canonical_json
from pawl.checklist import Checklist, Said, misfits, parse, run
from pawl.errors import UserError

ROW = {"x": 1, "plan": "pro"}
GOLDEN = {"name": "g", "type": "golden", "input": ROW, "expected": {"label": "yes"}}
INVARIANCE = {"name": "i", "type": "invariance", "input": ROW, "change": {"plan": "basic"}}
DIRECTIONAL = {
    "name": "d", "type": "directional", "input": ROW, "change": {"x": 2}, "expect": "notLower",
}  # fmt: skip


def _lines(*cases: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(case).encode() for case in cases)


def _list(*cases: dict[str, Any]) -> Checklist:
    return parse(_lines(*cases))


def test_cases_are_read_and_written_alike() -> None:
    read = parse(b"\n" + _lines(GOLDEN, INVARIANCE, DIRECTIONAL) + b"\n\n")
    assert [case.type for case in read.cases] == ["golden", "invariance", "directional"]
    assert Checklist.model_validate_json(canonical_json(read)) == read


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"", "1 to 1,000 are wanted", id="none"),
        pytest.param(b"\n{", "line 2: no JSON object", id="syntax"),
        pytest.param(b"[" * 100_000, "line 1: no JSON object", id="nested"),
        pytest.param(_lines(GOLDEN, GOLDEN), 'line 2: "g" is there twice', id="name twice"),
        pytest.param(_lines(GOLDEN | {"typo": 1}), "line 1: typo", id="unknown field"),
        pytest.param(_lines(GOLDEN | {"change": ROW}), "golden has no change", id="too much"),
        pytest.param(
            _lines({"name": "i", "type": "invariance", "input": ROW}), "needs change", id="less"
        ),
        pytest.param(_lines(GOLDEN | {"expected": {}}), "exactly one of label", id="expected"),
        pytest.param(_lines(GOLDEN | {"tolerance": -1}), "tolerance", id="tolerance"),
        pytest.param(_lines(GOLDEN | {"input": {"x": [1]}}), "line 1: input: x: ", id="a list"),
        pytest.param(_lines(GOLDEN | {"input": {"x": float("inf")}}), "line 1", id="infinite"),
        pytest.param(b" " * (1 << 20) + b" ", "at most 1,048,576", id="large"),
        pytest.param(
            _lines(*(GOLDEN | {"name": str(i)} for i in range(1001))), "1,001 cases", id="many"
        ),
    ],
)
def test_what_is_no_case_is_told_with_its_line(data: bytes, said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse(data)


@pytest.mark.parametrize(
    ("case", "classes", "said"),
    [
        pytest.param(GOLDEN, ("no", "yes"), None, id="fits"),
        pytest.param(GOLDEN, ("no", "maybe"), "label yes, which is none of no, maybe", id="label"),
        pytest.param(
            GOLDEN | {"input": {"x": 1}}, ("no", "yes"), "lacks plan", id="a column too few"
        ),
        pytest.param(
            INVARIANCE | {"change": {"gender": "f"}}, (), "gender, which is no input", id="column"
        ),
        pytest.param(DIRECTIONAL, ("a", "b", "c"), "needs class", id="of which class"),
        pytest.param(DIRECTIONAL | {"class": "b"}, ("a", "b", "c"), None, id="of this class"),
    ],
)
def test_cases_must_fit_the_model(
    case: dict[str, Any], classes: tuple[str, ...], said: str | None
) -> None:
    found = misfits(_list(case), ["x", "plan"], classes)
    assert found == [] if said is None else said in found[0]


def _binary(rows: Sequence[dict[str, Any]]) -> Said:
    """p(yes) grows with x, a little with the plan."""
    scores = np.array([[0.1 * row["x"] + 0.05 * (row["plan"] == "pro")] for row in rows])
    return Said(["yes" if score > 0.5 else "no" for (score,) in scores], scores)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(GOLDEN, 'golden "g": says no, not yes', id="label"),
        pytest.param(GOLDEN | {"expected": {"label": "no"}}, None, id="right label"),
        pytest.param(GOLDEN | {"expected": {"score": 0.15}}, None, id="score"),
        pytest.param(
            GOLDEN | {"expected": {"score": 0.2}, "tolerance": 0.01},
            'golden "g": gives 0.15, not 0.2 ± 0.01',
            id="another score",
        ),
        pytest.param(
            GOLDEN | {"expected": {"score": 0.85}, "class": "no"}, None, id="score of the other"
        ),
        pytest.param(INVARIANCE, 'invariance "i": moves by 0.05, at most 1e-06', id="moves"),
        pytest.param(INVARIANCE | {"tolerance": 0.06}, None, id="moves a little"),
        pytest.param(DIRECTIONAL, None, id="rises"),
        pytest.param(
            DIRECTIONAL | {"change": {"x": 0}}, 'directional "d": falls from 0.15', id="falls"
        ),
        pytest.param(
            DIRECTIONAL | {"expect": "notHigher"}, "rises from 0.15 to 0.25", id="rises wrongly"
        ),
        pytest.param(
            DIRECTIONAL | {"class": "no"}, "falls from 0.85 to 0.75", id="the other class"
        ),
    ],
)
def test_failures_are_sentences(changes: dict[str, Any], said: str | None) -> None:
    found = run(_list(changes), _binary, ("no", "yes"))
    assert found == [] if said is None else said in found[0]


def test_many_cases_are_asked_in_batches_and_told_apart() -> None:
    asked: list[int] = []

    def answer(rows: Sequence[dict[str, Any]]) -> Said:
        asked.append(len(rows))
        return _binary(rows)

    cases = [
        {**(INVARIANCE if i % 3 else DIRECTIONAL), "name": str(i), "tolerance": 0.06}
        for i in range(100)
    ]
    cases[70] = INVARIANCE | {"name": "70"}
    assert run(_list(*cases), answer, ("no", "yes")) == [
        'invariance "70": moves by 0.05, at most 1e-06 is allowed'
    ]
    assert asked == [64, 64, 64, 8]


def test_scores_of_several_classes() -> None:
    def answer(rows: Sequence[dict[str, Any]]) -> Said:
        return Said(["a"] * len(rows), np.array([[0.5, 0.3, 0.2], [0.4, 0.3, 0.3]])[: len(rows)])

    falls = DIRECTIONAL | {"class": "a"}
    assert run(_list(falls), answer, ("a", "b", "c")) == ['directional "d": falls from 0.5 to 0.4']
    assert run(_list(falls | {"class": "c"}), answer, ("a", "b", "c")) == []
    assert "moves by 0.1" in run(_list(INVARIANCE), answer, ("a", "b", "c"))[0]


def test_no_number_is_a_failure() -> None:
    def answer(rows: Sequence[dict[str, Any]]) -> Said:
        return Said(None, np.full((len(rows), 1), np.nan))

    assert run(_list(DIRECTIONAL), answer, ()) == ['directional "d": the model gives no number']
