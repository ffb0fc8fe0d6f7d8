"""Derived features: of training rows come the statistics, of the rows themselves the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pawl.api.data import Data
from pawl.errors import DataError
from pawl.training import derive
from pawl.training.workspace import Feature

TABLE = pa.table({"x": [1.0, 2.0, 30.0], "plan": ["a", None, "b"], "tags": [["t"], [], []]})
TRAIN = np.array([True, True, False])


def _data(*derived: tuple[str, str], **changes: Any) -> Data:
    base = {"uri": "file:///d.csv", "task": "regression", "target": "y"}
    named = [{"name": name, "expression": expression} for name, expression in derived]
    return Data.model_validate(base | {"derived": named} | changes)


def test_statistics_are_of_the_training_rows() -> None:
    data = _data(("centred", "x - fitted.mean(x)"))
    program = derive.fitted(derive.compiled(TABLE, data), TABLE, TRAIN)
    assert program.fitted == {"mean(x)": 1.5}
    table = derive.derived(TABLE, program)
    assert table.column("centred").to_pylist() == [-0.5, 0.5, 28.5]


def test_columns_have_the_type_of_their_kind() -> None:
    data = _data(("big", "x > 1"), ("text", "lower(plan)"), ("ratio", "1 / (x - 1)"))
    table = derive.derived(TABLE, derive.compiled(TABLE, data))
    assert table.column("big").to_pylist() == [False, True, True]
    assert table.column("text").to_pylist() == ["a", None, "b"]
    assert table.column("ratio").to_pylist() == [None, 1.0, 1 / 29]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        pytest.param("z + 1", 'data.derived: f: there is no column "z"', id="no column"),
        pytest.param("len(tags)", 'there is no column "tags"', id="nested values"),
        pytest.param("plan * 2", "takes numbers, not text", id="kind"),
    ],
)
def test_what_does_not_fit_the_data_is_told(expression: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        derive.compiled(TABLE, _data(("f", expression)))


def test_a_column_of_the_data_is_not_defined_anew() -> None:
    with pytest.raises(DataError, match="x: there is a column of this name already"):
        derive.compiled(TABLE, _data(("x", "2")))


def test_another_training_derives_with_its_own_statistics() -> None:
    data = _data(("centred", "x - fitted.mean(x)"))
    program = derive.fitted(derive.compiled(TABLE, data), TABLE, TRAIN)
    features = (Feature(name="centred", kind="numeric"), Feature(name="plan", kind="categorical"))
    then = derive.derivation(program, data, features)
    later = pa.table({"x": [11.5], "plan": ["c"], "centred": [99.0]})
    assert derive.apply(later, then).column("centred").to_pylist() == [10.0]
    with pytest.raises(DataError, match='a number "x" is needed, which the data do not have'):
        derive.apply(later.drop_columns(["x"]), then)


def test_what_no_feature_needs_is_not_packed() -> None:
    data = _data(("step", "x * 2"), ("used", "step + 1"), ("unused", "len(plan)"))
    program = derive.fitted(derive.compiled(TABLE, data), TABLE, TRAIN)
    then = derive.derivation(program, data, [Feature(name="used", kind="numeric")])
    assert [one.name for one in then.definitions] == ["step", "used"]
    assert [one.name for one in then.inputs] == ["x"]
