"""Scoring rows with the artifact that will be served: onnxruntime or, failing that, scikit-learn.

onnxruntime runs on one thread: sums in another order would give another model's last digits, and
with them another digest of the bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pawl.artifacts.records import Task
from pawl.artifacts.retry import describe
from pawl.errors import UserError
from pawl.stats.metrics import Answers, Floats
from pawl.training.features import Matrix

_BATCH = 10_000


class Engine(Protocol):
    """A loaded model: features in, probabilities [n, C] or numbers [n] out."""

    def scores(self, features: Matrix) -> Floats: ...


class OnnxEngine:
    """An ONNX graph with the inputs and outputs that `records.Signature` describes."""

    def __init__(self, model: bytes | Path, task: Task, classes: int) -> None:
        import onnxruntime as ort  # noqa: PLC0415 - not needed with the other engine

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        source = model if isinstance(model, bytes) else str(model)
        try:
            self._session = ort.InferenceSession(
                source, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise UserError(
                f"model.onnx does not load: {describe(error)}", reason="ModelUnreadable"
            ) from error
        self._classes = 0 if task == "regression" else classes
        self._output = "probabilities" if self._classes else "prediction"
        outputs = [output.name for output in self._session.get_outputs()]
        if self._output not in outputs:
            raise UserError(
                f'model.onnx has no output "{self._output}"; it has: {", ".join(outputs)}',
                reason="ModelUnreadable",
            )
        self._inputs = {wanted.name for wanted in self._session.get_inputs()}

    def scores(self, features: Matrix) -> Floats:
        feed = features.feed()
        if self._inputs != set(feed):
            raise UserError(
                f"model.onnx takes {', '.join(sorted(self._inputs))}; the data give "
                + ", ".join(sorted(feed)),
                reason="ModelUnreadable",
            )
        parts = [
            self._run({name: array[start : start + _BATCH] for name, array in feed.items()})
            for start in range(0, max(len(features), 1), _BATCH)
        ]
        return shaped(np.concatenate(parts), self._classes)

    def _run(self, feed: dict[str, NDArray[Any]]) -> NDArray[Any]:
        try:
            return np.asarray(self._session.run([self._output], feed)[0])
        except Exception as error:
            raise UserError(
                f"model.onnx cannot score the data: {describe(error)}", reason="ScoringFailed"
            ) from error


class SklearnEngine:
    """A fitted pipeline."""

    def __init__(self, model: Any, task: Task, classes: int, order: Sequence[str] = ()) -> None:
        self._model = model
        self._classes = 0 if task == "regression" else classes
        self._order = tuple(order)
        needed = "predict_proba" if self._classes else "predict"
        if not hasattr(model, needed):
            raise UserError(f"the model has no {needed}", reason="ModelUnreadable")

    def scores(self, features: Matrix) -> Floats:
        frame = features.frame(self._order)
        answer = self._model.predict_proba if self._classes else self._model.predict
        return shaped(np.asarray(answer(frame)), self._classes)


def shaped(raw: NDArray[Any], classes: int) -> Floats:
    """Probabilities as [n, C], numbers as [n]; UserError when the model gives another shape."""
    scores = np.asarray(raw, dtype=np.float64)
    if classes:
        if scores.ndim != 2 or scores.shape[1] != classes:
            raise UserError(
                f"the model gives {scores.shape[1:] or 'one number'} per row, probabilities of "
                f"{classes} classes are needed",
                reason="ModelUnreadable",
            )
        return scores
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    if scores.ndim != 1:
        raise UserError("the model gives more than one number per row", reason="ModelUnreadable")
    return scores


def answers(scores: Floats, task: Task, threshold: float | None) -> Answers:
    """What the server answers: for binary the positive class from `threshold` on, for multiclass
    the likeliest class (the first of equals)."""
    if task == "regression":
        return Answers(values=scores)
    if task == "binary":
        labels = (scores[:, 1] >= (0.5 if threshold is None else threshold)).astype(np.int64)
    else:
        labels = np.argmax(scores, axis=1).astype(np.int64)
    return Answers(labels=labels, scores=scores)
