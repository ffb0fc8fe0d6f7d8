"""What a server writes is what the files hold."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pawl.artifacts.records import Signature, Tensor
from pawl.capture.config import Choice
from pawl.capture.tables import Column, Head, read_segment, table_of
from pawl.serving.capture.columns import Columns, Kept
from pawl.serving.codec.base import Predictions

SIGNATURE = Signature(
    task="multiclass",
    inputs=(
        Tensor(name="age", datatype="FP64", shape=(-1,)),
        Tensor(name="vip", datatype="BOOL", shape=(-1,)),
        Tensor(name="plan", datatype="BYTES", shape=(-1,)),
    ),
    outputs=(Tensor(name="probabilities", datatype="FP64", shape=(-1, 3)),),
    numeric=("age", "vip"),
    categorical=("plan",),
    classes=(1, 2, 3),
)
COLUMNS = Columns(SIGNATURE, Choice(percent=1), None)
ROW = st.tuples(
    st.floats(allow_infinity=False),
    st.sampled_from([0.0, 1.0, np.nan]),
    st.text(max_size=5),
    st.sampled_from([1, 2, 3, None]),
    st.tuples(*[st.floats(allow_infinity=False)] * 3),
)


def segment(requests: list[list[Any]]) -> io.BytesIO:
    head = {"format": 2, "kind": "predictions", "model": "m", "version": "7", **COLUMNS.head}
    lines = [orjson.dumps(head)]
    for start in range(0, len(requests), 3):
        batch = requests[start : start + 3]
        rows = [row for request in batch for row in request]
        feed = {
            "numeric": np.array([row[:2] for row in rows], dtype=np.float64),
            "categorical": np.array([[row[2]] for row in rows], dtype=object),
        }
        scores = [score for row in rows for score in row[4]]
        said = Predictions(scores, [row[3] for row in rows], 3)
        ids = [str(start + place) for place in range(len(batch))]
        sizes, none = [len(request) for request in batch], [None] * len(batch)
        kept = Kept(COLUMNS, float(start), ids, sizes, none, [100] * len(batch), feed, said)
        lines += [line for line, _ in kept.lines()]
    return io.BytesIO(b"\n".join(lines) + b"\n")


def known(value: float) -> float | None:
    return None if np.isnan(value) else value


@given(st.lists(st.lists(ROW, min_size=1, max_size=4), min_size=1, max_size=4))
def test_every_value_comes_back(requests: list[list[Any]]) -> None:
    read = read_segment(segment(requests))
    assert read is not None
    found = read.table.to_pylist()
    expected = [
        {
            "pawl_id": str(number),
            "pawl_row": place,
            "age": known(age),
            "vip": None if np.isnan(vip) else bool(vip),
            "plan": plan or None,
            "pawl_label": label,
            "pawl_value": [known(score) for score in scores],
        }
        for number, rows in enumerate(requests)
        for place, (age, vip, plan, label, scores) in enumerate(rows)
    ]
    assert [{key: row[key] for key in expected[0]} for row in found] == expected
    assert read.table.schema.field("pawl_label").type == pa.int64()


def test_long_segments_are_read_whole() -> None:
    row = (1.0, 1.0, "a", 1, (0.1, 0.2, 0.7))
    read = read_segment(segment([[row]] * 1000))
    assert read is not None
    assert read.table.column("pawl_id").to_pylist() == [str(number) for number in range(1000)]
    assert read.first == 0.0


def test_a_line_that_is_cut_off_anywhere_is_left_out() -> None:
    """However much of it is there."""
    row = (1.0, 1.0, "a", 1, (0.1, 0.2, 0.7))
    whole, more = (segment([[row]] * count).getvalue() for count in (3, 6))
    for end in range(len(whole), len(more)):
        read = read_segment(io.BytesIO(more[:end]))
        assert read is not None
        assert read.table.num_rows == 3


def test_numbers_that_are_not_whole_are_no_integers() -> None:
    head = Head(
        format=2,
        kind="predictions",
        model="m",
        columns=(Column(name="n", type="integer"), Column(name="b", type="boolean")),
        numbers=2,
    )
    numbers = np.array([[3.0, 0.0], [2.5, 1.0], [np.inf, np.nan], [1e19, 2.0]])
    line = {"t": 0.0, "id": ["a"], "r": [0], "n": [4], "g": [None], "w": [1.0], "v": [],
            "y": None, "p": None, "b": numbers.tobytes()}  # fmt: skip
    table = table_of(head, [line])
    assert table.column("n").to_pylist() == [3, None, None, None]
    assert table.column("b").to_pylist() == [False, True, None, True]
