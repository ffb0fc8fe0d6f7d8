"""Labels of several annotators: the target, the limit, and the rows that are in dispute."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from told import run_config

from pawl.api.data import Data
from pawl.artifacts.records import Agreement
from pawl.artifacts.runs import RunConfig, StoreRef
from pawl.errors import DataError
from pawl.training import labels

#: 40 rows: two of three say yes in every fourth, all agree elsewhere.
ANNA = ["yes", "no"] * 20
BO = ["yes", "no", "yes", "no"] * 10
CY = ["no", "no", "yes", "no"] * 10


def config(store: Path, **more: Any) -> RunConfig:
    return run_config(store, run=3, **more)


def table(*columns: Sequence[Any], **more: Any) -> pa.Table:
    names = ("anna", "bo", "cy", "dee")
    ids = [f"r{i}" for i in range(len(columns[0]))]
    return pa.table({**dict(zip(names, columns, strict=False)), "id": ids, **more})


def data(rows: pa.Table, **wanted: Any) -> Data:
    annotators = [name for name in rows.column_names if name in ("anna", "bo", "cy", "dee")]
    return Data.model_validate(
        {"uri": "file:///d.csv", "task": "binary", "target": "spam", "idColumns": ["id"],
         "labels": {"annotators": annotators, **wanted}}
    )  # fmt: skip


def settle(rows: pa.Table, store: Path, **wanted: Any) -> tuple[pa.Table, Agreement, Any]:
    settled, found, warnings = labels.settle(rows, data(rows, **wanted), config(store))
    assert found is not None
    return settled, found, warnings


def listed(store: Path) -> list[dict[str, Any]]:
    lines = (store / "runs/u-3/disputed.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_the_target_is_what_most_annotators_say(tmp_path: Path):
    settled, found, warnings = settle(table(ANNA, BO, CY), tmp_path, aggregate="majority")
    assert settled.column("spam").to_pylist() == ANNA
    assert (found.annotators, found.rows, found.disputed, found.tied) == (3, 40, 10, 0)
    assert warnings == ()


def test_rows_with_a_tie_are_left_out_and_told(tmp_path: Path):
    settled, found, (warning,) = settle(table(ANNA, CY), tmp_path, aggregate="majority")
    assert (settled.num_rows, found.disputed, found.tied) == (30, 10, 10)
    assert warning.startswith("10 of 40 rows have no label that most annotators gave")
    assert warning.endswith("; disputed rows are in runs/u-3/disputed.jsonl")


def test_one_label_is_taken_as_it_is_and_none_is_a_missing_target(tmp_path: Path):
    rows = table(["yes", None, None, "no"], ["", None, "no", "no"], ["yes", "", None, "yes"])
    settled, found, _ = settle(rows, tmp_path, aggregate="majority")
    assert settled.column("spam").to_pylist() == ["yes", None, "no", "no"]
    assert found.rows == 2


def test_a_target_of_the_data_stays_and_no_row_goes(tmp_path: Path):
    rows = table(ANNA, CY, spam=BO)
    settled, found, warnings = settle(rows, tmp_path)
    assert (settled, found.tied, warnings) == (rows, None, ())
    assert found.disputed == 10


def test_too_little_agreement_ends_the_run_with_where_to_look(tmp_path: Path):
    with pytest.raises(DataError) as raised:
        settle(table(ANNA, CY), tmp_path, minKappa=0.4)
    assert raised.value.reason == "CheckFailed"
    assert str(raised.value) == (
        "2 annotators agree with Cohen's kappa 0.50 (95 % interval 0.23 to 0.70, 40 rows with two "
        "labels or more); they differ on 10 rows; the lower bound must be at least 0.4 (minKappa); "
        "disputed rows are in runs/u-3/disputed.jsonl"
    )
    assert len(listed(tmp_path)) == 10


def test_enough_agreement_passes_by_its_lower_bound(tmp_path: Path):
    _, found, _ = settle(table(ANNA, CY), tmp_path, minKappa=0.23)
    assert found.interval[0] > 0.23


def test_a_limit_needs_rows_that_can_show_it(tmp_path: Path):
    few = table(ANNA[:20], ANNA[:20])
    with pytest.raises(DataError, match="only 20 rows have labels of two") as raised:
        settle(few, tmp_path, minKappa=0.4)
    assert raised.value.reason == "TooFewRows"


def test_data_of_a_version_that_is_made_again_have_passed(tmp_path: Path):
    rows = table(ANNA, CY)
    again = config(tmp_path, reproduces=StoreRef(name="m-v1", uri="file:///x", digest="sha256:0"))
    _, found, _ = labels.settle(rows, data(rows, minKappa=0.9), again)
    assert found is not None
    assert list(tmp_path.iterdir()) == []


def test_disputed_rows_are_listed_by_their_ids_the_most_disputed_first(tmp_path: Path):
    rows = table(["a", "a", "b", "b"], ["a", "a", "b", "a"], ["b", "a", "b", "c"])
    settle(rows, tmp_path)
    assert listed(tmp_path) == [
        {"row": 4, "ids": {"id": "r3"}, "agreement": 0.0,
         "labels": {"anna": "b", "bo": "a", "cy": "c"}},
        {"row": 1, "ids": {"id": "r0"}, "agreement": pytest.approx(1 / 3),
         "labels": {"anna": "a", "bo": "a", "cy": "b"}},
    ]  # fmt: skip


def test_the_list_is_bounded(tmp_path: Path):
    n = labels.MOST_LISTED + 5
    rows = pa.table({"anna": ["x" * 300] * n, "bo": [*["y"] * (n - 1), "x" * 300], "id": ["r"] * n})
    settle(rows, tmp_path)
    found = listed(tmp_path)
    assert len(found) == labels.MOST_LISTED
    assert found[0]["labels"]["anna"] == "x" * 256


def test_the_list_of_another_try_stands(tmp_path: Path):
    settle(table(ANNA, CY), tmp_path)
    settle(table(ANNA, BO, CY), tmp_path)
    assert set(listed(tmp_path)[0]["labels"]) == {"anna", "bo"}


@pytest.mark.parametrize(
    ("anna", "bo", "made"),
    [
        pytest.param([1, 0, 1, 0], [1.0, 0.0, None, 0.0], [1.0, 0.0, 1.0, 0.0], id="numbers"),
        pytest.param([True, False, True], [True, False, None], [True, False, True], id="flags"),
        pytest.param(["a", "b", "a"], ["a", "b", ""], ["a", "b", "a"], id="texts"),
    ],
)
def test_labels_are_of_any_kind_of_class(anna: list[Any], bo: list[Any], made: Any, tmp_path: Path):
    settled, _, _ = settle(table(anna, bo), tmp_path, aggregate="majority")
    assert settled.column("spam").to_pylist() == made


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param(table([1, 0], ["1", "0"]), "hold int64 and string; annotators", id="kinds"),
        pytest.param(table([["a"]] * 2, ["a"] * 2), "that is no label", id="lists"),
        pytest.param(table(["a", "a"], ["a", "a"]), "two different labels", id="one label"),
        pytest.param(table([None, None], [None, None]), "two rows with two labels", id="none"),
        pytest.param(table(["a", "b"], ["a", "b"], spam=["a", "b"]), "is in the data", id="made"),
    ],
)
def test_labels_that_cannot_be_used_are_told(rows: pa.Table, said: str, tmp_path: Path):
    with pytest.raises(DataError, match=said):
        settle(rows, tmp_path, aggregate="majority")
