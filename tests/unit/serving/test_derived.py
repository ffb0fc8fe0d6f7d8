"""What a client sends becomes the features of training, bit for bit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.api.data import Data
from pawl.artifacts.derivation import Definition, Derivation, Input
from pawl.artifacts.records import Signature, Tensor
from pawl.errors import IntegrityError, SignatureError
from pawl.serving.codec import codec_for
from pawl.serving.codec.derived import sent
from pawl.serving.protocol import InferRequest, InputTensor, parse_infer
from pawl.training import derive
from pawl.training.features import matrix
from pawl.training.signature import build_signature
from pawl.training.workspace import Feature, Schema

DATA = Data.model_validate(
    {
        "uri": "file:///d.csv",
        "task": "regression",
        "target": "y",
        "derived": [
            {"name": "bmi", "expression": "weight / (height * height)"},
            {"name": "z", "expression": "(bmi - fitted.mean(bmi)) / fitted.std(bmi)"},
            {"name": "late", "expression": "hour(at) >= 18 or weekday(at) in [5, 6]"},
            {"name": "kind", "expression": "concat(lower(plan), '-', 'x' if vip else 'y')"},
            {"name": "loud", "expression": "log(abs(weight)) ** 1.5 + exp(-height)"},
        ],
    }
)
FEATURES = (
    *(Feature(name=name, kind="numeric") for name in ("weight", "z", "loud")),
    *(Feature(name=name, kind="boolean") for name in ("vip", "late")),
    *(Feature(name=name, kind="categorical") for name in ("plan", "kind")),
)
SCHEMA = Schema(task="regression", target="y", features=FEATURES)
FIXED = pa.table(
    {
        "weight": [70.0, 80.5],
        "height": [1.7, 1.9],
        "vip": [True, False],
        "plan": ["Pro", "basic"],
        "at": pa.array([datetime(2026, 11, 26, 19, tzinfo=UTC)] * 2),
    }
)
PROGRAM = derive.fitted(derive.compiled(FIXED, DATA), FIXED, np.array([True, True]))
DERIVATION = derive.derivation(PROGRAM, DATA, FEATURES)
SIGNATURE = build_signature(SCHEMA, None, DERIVATION)
CODEC = codec_for(SIGNATURE, 100, DERIVATION)

_numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
_row = st.tuples(
    _numbers,
    _numbers,
    st.none() | st.booleans(),
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
)


def _request(table: pa.Table) -> InferRequest:
    """As a client would send the rows of the table."""
    datatypes = {tensor.name: tensor.datatype for tensor in SIGNATURE.inputs}
    inputs: list[dict[str, Any]] = []
    for name, datatype in datatypes.items():
        values = table.column(name).to_pylist()
        if name == "at":
            values = [value and value.isoformat() for value in values]
        if datatype == "BOOL":  # only numbers can be null
            values = [None if value is None else float(value) for value in values]
        sent_as = "FP64" if datatype == "BOOL" else datatype
        inputs.append({"name": name, "datatype": sent_as, "shape": [len(values)], "data": values})
    return parse_infer(orjson.dumps({"inputs": inputs}))


@given(st.lists(_row, min_size=1, max_size=20))
def test_rows_give_the_features_of_training_bit_for_bit(rows: list[tuple[Any, ...]]) -> None:
    columns = dict(
        zip(("weight", "height", "vip", "plan", "at"), zip(*rows, strict=True), strict=True)
    )
    table = pa.table(
        {name: pa.array(values, FIXED.schema.field(name).type) for name, values in columns.items()}
    )
    trained = matrix(derive.derived(table, PROGRAM), SCHEMA.numeric, SCHEMA.categorical)
    served = CODEC.decode(_request(table)).feed
    assert served["numeric"].tobytes() == trained.numeric.tobytes()
    assert served["categorical"].tolist() == trained.categorical.tolist()


def test_the_signature_lists_what_is_sent() -> None:
    assert [(tensor.name, tensor.datatype) for tensor in SIGNATURE.inputs] == [
        ("weight", "FP64"), ("vip", "BOOL"), ("height", "FP64"), ("plan", "BYTES"), ("at", "BYTES"),
    ]  # fmt: skip
    assert SIGNATURE.columns == SCHEMA.numeric + SCHEMA.categorical
    assert sent(SIGNATURE, DERIVATION).categorical == ("plan", "at")


def test_what_the_client_sent_is_kept_beside_the_features() -> None:
    rows = CODEC.decode(_request(FIXED))
    assert rows.sent is not None
    assert rows.sent["numeric"].tolist() == [[70.0, 1.0, 1.7], [80.5, 0.0, 1.9]]


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        pytest.param("2026-11-26T19:00:00+02:00", 17.0, id="zone"),
        pytest.param("2026-11-26 19:00", 19.0, id="UTC without one"),
        pytest.param("", None, id="missing"),
    ],
)
def test_times_are_read(text: str, hour: float | None) -> None:
    derivation = Derivation(
        inputs=(Input(name="at", kind="time"),),
        definitions=(Definition(name="h", expression="hour(at)"),),
        fitted={},
    )
    signature = Signature(
        task="regression",
        inputs=(Tensor(name="at", datatype="BYTES", shape=(-1,)),),
        outputs=(Tensor(name="prediction", datatype="FP64", shape=(-1,)),),
        numeric=("h",),
    )
    codec = codec_for(signature, 10, derivation)
    request = InferRequest(None, [InputTensor("at", "BYTES", [1], [text])], None)
    (found,) = codec.decode(request).feed["numeric"].ravel()
    assert found == hour or (hour is None and np.isnan(found))
    wrong = InferRequest(None, [InputTensor("at", "BYTES", [1], ["yesterday"])], None)
    with pytest.raises(SignatureError, match=r'at: data\[0\] is "yesterday", no time in ISO 8601'):
        codec.decode(wrong)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"definitions": ()}, "z is neither sent nor derived", id="no definition"),
        pytest.param({"fitted": {}}, r"fitted.mean\(bmi\) is not given", id="statistic lost"),
        pytest.param({"inputs": DERIVATION.inputs[:2]}, "there is no column", id="input lost"),
    ],
)
def test_a_derivation_that_is_not_whole_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(IntegrityError, match=said):
        codec_for(SIGNATURE, 100, DERIVATION.model_copy(update=changes))


def test_an_example_can_be_scored() -> None:
    feed = CODEC.example(2)
    assert feed["numeric"].shape == (2, len(SCHEMA.numeric))
    assert feed["categorical"].shape == (2, len(SCHEMA.categorical))
