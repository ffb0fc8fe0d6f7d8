"""Which cells there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from pawl.artifacts.records import Baseline, CategoryBaseline, NumericBaseline, Signature
from pawl.serving.monitor import memory as m
from pawl.serving.monitor.cells import CategoryPart, NumericPart, is_sound, layout_of
from pawl.serving.monitor.steps import block_type

Made = Callable[..., Any]


@pytest.fixture
def baseline(baseline_of: Made) -> Baseline:
    found: Baseline = baseline_of(
        {"b": [1.0, 2.0, 3.0], "a": [float("nan"), 5.0]},
        {"plan": ["pro", "pro", "basic", ""]},
        prediction=[0.25, 0.75],
    )
    return found


@pytest.fixture
def signature(signature_of: Made) -> Signature:
    found: Signature = signature_of("no", "yes").model_copy(
        update={"numeric": ("a", "b"), "categorical": ("plan",)}
    )
    return found


def test_cells_lie_in_the_order_of_the_baseline_and_the_predictions_last(
    baseline: Baseline, signature: Signature
) -> None:
    layout = layout_of(signature, baseline, "numeric")
    assert [(part.name, part.at, part.cells, part.column) for part in layout.every] == [
        ("b", 0, 5, 1), ("a", 5, 3, 0), ("plan", 8, 4, 0), ("prediction", 12, 4, 2),
    ]  # fmt: skip
    assert layout.width == 16
    assert layout.fine == sum(part.fine for part in layout.every if isinstance(part, NumericPart))


def test_a_feature_is_described_by_its_baseline(baseline: Baseline, signature: Signature) -> None:
    layout = layout_of(signature, baseline, "numeric")
    b, a, plan, prediction = orjson.loads(layout.features)
    assert b == {
        "name": "b",
        "kind": "numeric",
        "cells": 5,
        "labels": ["(-inf, 1]", "(1, 2]", "(2, inf)", "missing", "outOfRange"],
        "reference": [1, 1, 1, 0, 0],
        "fine": 3,
        "fineReference": [1, 1, 1],
        "fineSums": [1.0, 2.0, 3.0],
    }
    assert (a["labels"][0], a["reference"]) == ("(-inf, inf)", [1, 1, 0])
    assert (plan["kind"], plan["fine"]) == ("category", 0)
    assert plan["labels"] == ["pro", "basic", "other", "missing"]
    assert plan["reference"] == [2, 1, 0, 1]
    assert (prediction["name"], prediction["kind"]) == ("prediction", "numeric")


def test_a_feature_named_prediction_is_told_apart_from_the_prediction(
    baseline_of: Made, signature_of: Made
) -> None:
    baseline = baseline_of({"prediction": [1.0, 2.0]}, {}, prediction=[0.25, 0.75])
    signature = signature_of("no", "yes").model_copy(update={"numeric": ("prediction",)})
    layout = layout_of(signature, baseline, "numeric")
    assert [part.name for part in layout.every] == ['"prediction"', "prediction"]
    assert [part["name"] for part in orjson.loads(layout.features)] == [
        '"prediction"',
        "prediction",
    ]


def test_features_that_the_signature_does_not_have_are_passed_over(
    baseline: Baseline, signature: Signature
) -> None:
    layout = layout_of(signature.model_copy(update={"numeric": ("a",)}), baseline, "numeric")
    assert [part.name for part in layout.parts] == ["a", "plan"]
    assert layout.uncounted == ()


def test_another_baseline_has_another_digest(
    baseline_of: Made, baseline: Baseline, signature: Signature
) -> None:
    other = baseline_of({"a": [1.0, 2.0]}, {}, prediction=[0.25, 0.75])
    first, again, second = (layout_of(signature, b, "numeric") for b in (baseline, baseline, other))
    assert first.digest == again.digest != second.digest
    assert len(first.digest) == 12


def test_without_a_baseline_there_are_no_cells(signature: Signature) -> None:
    layout = layout_of(signature, None, None)
    assert (layout.every, layout.width, layout.fine) == ((), 0, 0)
    assert (layout.positive, orjson.loads(layout.features)) == ("yes", [])


def test_features_that_there_is_no_room_for_are_not_counted_and_that_is_said(
    baseline: Baseline, signature: Signature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(m, "WIDE", block_type(13, 9).itemsize)
    layout = layout_of(signature, baseline, "numeric")
    assert [part.name for part in layout.every] == ["b", "a", "prediction"]
    assert layout.uncounted == ("plan",)


def numeric(**changes: Any) -> NumericBaseline:
    fields: dict[str, Any] = {
        "name": "a", "edges": (2.0,), "counts": (2, 2), "fine_edges": (1.0, 2.0, 3.0),
        "fine_counts": (1, 1, 1, 1), "fine_sums": (0.5, 1.5, 2.5, 3.5), "minimum": 0.0,
        "maximum": 4.0, "missing": 0,
    }  # fmt: skip
    return NumericBaseline(**fields | changes)


@pytest.mark.parametrize(
    ("baseline", "sound"),
    [
        pytest.param(numeric(), True, id="sound"),
        pytest.param(numeric(counts=(4,)), False, id="a count too few"),
        pytest.param(numeric(fine_counts=(4,)), False, id="a fine count too few"),
        pytest.param(numeric(edges=(2.5,)), False, id="an edge that is none of the fine ones"),
        pytest.param(numeric(fine_edges=(2.0, 1.0, 3.0)), False, id="edges that do not ascend"),
        pytest.param(numeric(fine_edges=(1.0, 2.0, float("inf"))), False, id="an endless edge"),
    ],
)
def test_a_baseline_that_contradicts_itself_is_none(baseline: NumericBaseline, sound: bool) -> None:
    assert is_sound(baseline) is sound


def table(*categories: str) -> CategoryBaseline:
    counts = (1,) * len(categories)
    return CategoryBaseline(name="a", categories=categories, counts=counts, other=0, missing=0)


@pytest.mark.parametrize("categories", [("a", "a"), ("a", "")])
def test_a_table_that_names_a_category_twice_is_none(categories: tuple[str, ...]) -> None:
    assert not is_sound(table(*categories))


def test_a_category_by_the_name_of_another_cell_is_told_in_quotes() -> None:
    labels = CategoryPart("a", 0, table("other", '"other"', "missing"), 0).labels
    assert labels == ['"other"', '""other""', '"missing"', "other", "missing"]
    assert len(set(labels)) == len(labels)


def test_edges_are_told_with_as_many_digits_as_tell_them_apart() -> None:
    edges = (1.0, 1.0 + 1e-12)
    found = numeric(edges=edges, counts=(1, 1, 1))
    assert len(set(NumericPart("a", 0, found, 0, 0).labels)) == 5
    assert NumericPart("a", 0, numeric(edges=(2 / 3,)), 0, 0).labels[0] == "(-inf, 0.6667]"
