"""The model tests of a bundle, run before the server is ready: with the engine, the processor and
the libraries that will answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from pydantic import ValidationError

from pawl import checklist
from pawl.artifacts.bundle import TESTS
from pawl.artifacts.records import Signature
from pawl.checklist.cases import Checklist, Value
from pawl.errors import IntegrityError, SignatureError
from pawl.serving.codec import Codec
from pawl.serving.engine.base import Engine
from pawl.serving.errors import EngineError
from pawl.serving.protocol import InferRequest, InputTensor

_MOST_SECONDS = 30.0
_SHOWN = 5


def read(path: Path) -> Checklist | None:
    """The cases, where the bundle has some. IntegrityError when they are not readable."""
    if not path.exists():
        return None
    try:
        return Checklist.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise IntegrityError(f"the bundle has no readable {TESTS}", reason="BadBundle") from error


def require(cases: Checklist, signature: Signature, codec: Codec, engine: Engine) -> None:
    """IntegrityError (ModelTestsFailed) says which cases fail, or that they take too long."""
    deadline = monotonic() + _MOST_SECONDS

    def answer(rows: Sequence[dict[str, Value]]) -> checklist.Said:
        if monotonic() > deadline:
            raise _failed(f"the model tests took more than {_MOST_SECONDS:.0f} s")
        decoded = codec.decode(_request(rows, signature))
        said = codec.render(engine.run(decoded.feed), decoded.size).said
        scores = np.array(said.values, dtype=np.float64).reshape(len(rows), said.width)
        return checklist.Said(said.labels, scores)

    try:
        failures = checklist.run(cases, answer, signature.classes)
    except (SignatureError, EngineError, ValueError) as error:
        raise _failed(f"the model tests cannot be run: {error}") from error
    if failures:
        listed = "; ".join(failures[:_SHOWN]) + ("; …" if len(failures) > _SHOWN else "")
        raise _failed(f"{len(failures)} of {len(cases.cases)} model tests fail here: {listed}")


def _failed(sentence: str) -> IntegrityError:
    return IntegrityError(sentence, reason="ModelTestsFailed")


def _request(rows: Sequence[dict[str, Value]], signature: Signature) -> InferRequest:
    """As a client would ask; numbers as FP64, so that null is a missing value."""
    tensors = []
    for tensor in signature.inputs:
        values: list[Any] = [row.get(tensor.name) for row in rows]
        text = tensor.datatype == "BYTES"
        if not text:
            values = [None if value is None else float(value) for value in values]
        tensors.append(InputTensor(tensor.name, "BYTES" if text else "FP64", [len(rows)], values))
    return InferRequest(None, tensors, None)
