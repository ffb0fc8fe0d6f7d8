"""What of a request is written, for every kind of signature."""

from __future__ import annotations

import hmac
from typing import Any

import numpy as np
import orjson
import pytest

from pawl.artifacts.records import Signature, Tensor
from pawl.capture.config import Choice
from pawl.serving.capture.columns import Columns, Kept
from pawl.serving.codec.base import Predictions

KEY = b"k" * 32


def written(columns: Columns, feed: Any, size: int, said: Predictions | None = None) -> Any:
    kept = Kept(columns, 1.0, ["id"], [size], [None], [100], feed, said or Predictions())
    ((line, _),) = columns.lines(kept)
    text, _, numbers = line.partition(b"\n")
    found, count = orjson.loads(text), columns.head["numbers"]
    assert found["b"] == len(numbers) == 8 * size * count
    block = np.frombuffer(numbers, "<f8").reshape(size, count)
    found["v"] = [*block.T.tolist(), *found["v"]]
    return found


def tabular(email: str = "a@x.org", age: float = 3.0) -> Any:
    return {
        "numeric": np.array([[age, 1.0]]),
        "categorical": np.array([["pro", email]], dtype=object),
    }


def test_dropped_features_are_nowhere(signature_of_capture: Signature) -> None:
    columns = Columns(signature_of_capture, Choice(percent=1, drop=("email", "age")), KEY)
    line = written(columns, tabular(), 1)
    assert [column["name"] for column in columns.head["columns"]] == ["vip", "plan"]
    assert line["v"] == [[1.0], ["pro"]]
    assert b"x.org" not in orjson.dumps(line)


def test_hashed_features_are_keyed_hashes_of_their_text(signature_of_capture: Signature) -> None:
    columns = Columns(signature_of_capture, Choice(percent=1, hash=("email", "age")), KEY)
    values = dict(
        zip(
            [column["name"] for column in columns.head["columns"]],
            written(columns, tabular(), 1)["v"],
            strict=True,
        )
    )
    for name, text in (("email", b"a@x.org"), ("age", b"3")):
        assert values[name] == [hmac.digest(KEY, text, "sha256").hex()[:32]]
    assert columns.head["hashed"] == ["age", "email"]
    types = {column["name"]: column["type"] for column in columns.head["columns"]}
    assert types == {"vip": "boolean", "plan": "text", "age": "text", "email": "text"}


def test_missing_is_null_also_when_it_is_hashed(signature_of_capture: Signature) -> None:
    for choice in (Choice(percent=1), Choice(percent=1, hash=("email", "age"))):
        columns = Columns(signature_of_capture, choice, KEY)
        values = written(columns, tabular("", np.nan), 1)["v"]
        names = [column["name"] for column in columns.head["columns"]]
        (age,) = values[names.index("age")]
        assert values[names.index("email")] == [None]
        assert age is None or np.isnan(age)


def test_features_that_are_called_as_our_own_columns_are_left_out() -> None:
    signature = Signature(
        inputs=tuple(Tensor(name=name, datatype="FP64", shape=(-1,)) for name in ("a", "pawl_id")),
        outputs=(Tensor(name="prediction", datatype="FP64", shape=(-1,)),),
        numeric=("pawl_id", "a"),
    )
    columns = Columns(signature, Choice(percent=1), None)
    assert [column["name"] for column in columns.head["columns"]] == ["a"]
    assert written(columns, {"numeric": np.array([[1.0, 2.0]])}, 1)["v"] == [[2.0]]


def test_scores_of_several_classes_are_a_list(signature_of_capture: Signature) -> None:
    signature = signature_of_capture.model_copy(
        update={"task": "multiclass", "classes": ("a", "b", "c")}
    )
    columns = Columns(signature, Choice(percent=1), None)
    line = written(columns, tabular(), 1, Predictions([0.1, 0.2, 0.7], ["c"], 3))
    assert columns.head["value"] == {"name": "pawl_value", "type": "number", "many": True}
    assert line["p"] == [[0.1, 0.2, 0.7]]


@pytest.mark.parametrize(
    ("shape", "array", "size", "expected"),
    [
        pytest.param((-1,), [1.0, 2.0], 2, [1.0, 2.0], id="a column"),
        pytest.param((-1, 1), [[1.0], [2.0]], 2, [1.0, 2.0], id="one wide"),
        pytest.param((-1, 2), [[1.0, 2.0], [3.0, 4.0]], 2, [[1, 2], [3, 4]], id="lists"),
        pytest.param((2, 2), [[1.0, 2.0], [3.0, 4.0]], 1, [[1, 2, 3, 4]], id="no batch"),
    ],
)
def test_tensors_are_columns_or_lists(shape: Any, array: Any, size: int, expected: Any) -> None:
    signature = Signature(
        layout="tensor",
        inputs=(Tensor(name="x", datatype="FP32", shape=shape),),
        outputs=(Tensor(name="y", datatype="FP32", shape=(-1, 2)),),
    )
    columns = Columns(signature, Choice(percent=1), None)
    line = written(columns, {"x": np.array(array, dtype=np.float32)}, size)
    assert line["v"] == [expected]
    assert (line["y"], line["p"]) == (None, None)
