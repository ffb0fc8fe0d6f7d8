"""The monitor as a library, for servers of one's own.

    monitor = Monitor.from_baseline("bundle/baseline.json", classes=("no", "yes"))
    monitor.observe({"tenure": [3.0], "plan": ["pro"]}, [0.93])

It counts and tells what Pawl's server does, without feedback: rows and predictions by the cells of
the baseline, and, of requests that `asgi.Watched` sees, status, latency, users and pairs. It counts
what its own process answers: a pod with such a server has one process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from math import isfinite, isnan
from pathlib import Path
from threading import Lock
from time import perf_counter, time
from typing import Any

import numpy as np

from pawl import constants
from pawl.artifacts.records import Baseline, NumericBaseline, Signature
from pawl.serving.codec.base import Predictions, Rows
from pawl.serving.counters import Counters
from pawl.serving.monitor.cells import layout_of
from pawl.serving.monitor.features import Features
from pawl.serving.monitor.http import Answering, MonitorRouter
from pawl.serving.monitor.memory import Memory
from pawl.serving.monitor.pages import FeaturePages
from pawl.serving.monitor.predictions import Scores
from pawl.serving.monitor.recorder import Recorder
from pawl.serving.monitor.snapshot import About, Snapshots
from pawl.serving.monitor.steps import Steps


@dataclass(frozen=True)
class Observed:
    """Rows and what was predicted of them."""

    rows: Rows
    said: Predictions
    group: str | None


class Watching:
    """A request that is being answered, and what was observed of it until it was."""

    def __init__(self, headers: dict[bytes, bytes]) -> None:
        self.started = perf_counter()
        self.request_id = headers.get(b"x-request-id")
        self.headers = headers
        self.body = b""
        self.seen: Observed | None = None
        self.answered = False


#: The request that is being answered here.
CURRENT: ContextVar[Watching | None] = ContextVar("pawl_watching", default=None)


class _Job:
    """A request as the recorder wants it: the job, and its reply too."""

    def __init__(self, watched: Watching, seen: Observed) -> None:
        self.rows = seen.rows
        self.request = seen
        self.reply = _Reply(watched)


class _Reply:
    def __init__(self, request: Watching) -> None:
        self.request = request


class Monitor:
    """Threads may share it."""

    def __init__(
        self, about: About, baseline: Baseline, classes: Sequence[Any], threshold: float
    ) -> None:
        """See `from_baseline`."""
        memory, counters = Memory(), Counters()
        signature = _signature(baseline, tuple(classes))
        scores = Scores(signature, baseline.prediction)
        layout = layout_of(signature, baseline, scores.score_kind)
        steps = Steps(memory, layout.width, layout.fine)
        self._signature, self._threshold = signature, threshold
        self._labelled = scores.kind == "class"
        self._features = Features(layout, steps)
        self._recorder = Recorder(memory, counters)
        self._recorder.install(scores, self._features)
        snapshots = Snapshots(about, memory, counters)
        snapshots.install(scores)
        pages = FeaturePages(about, snapshots.closed)
        pages.install(layout, steps)
        self._router = MonitorRouter(snapshots, pages)
        self._lock = Lock()
        columns = signature.numeric + signature.categorical
        self._nothing = Observed(self._rows(dict.fromkeys(columns, ()), 0), self._said(()), None)

    @classmethod
    def from_baseline(
        cls,
        path: str | Path,
        *,
        classes: Sequence[Any] = (),
        threshold: float = 0.5,
        model: str | None = None,
        version: str | None = None,
        digest: str | None = None,
    ) -> Monitor:
        """Of a bundle's baseline.json. `classes` of a classifier: with two, predictions are the
        scores of the second, and from `threshold` on its label. Names are those that the operator
        gives a pod unless they are said. OSError or ValueError when there is no baseline."""
        about = About(
            model=model or os.environ.get(constants.ENV_MODEL, ""),
            version=version or os.environ.get(constants.ENV_MODEL_VERSION, ""),
            digest=digest or os.environ.get(constants.ENV_ARTIFACT_DIGEST, ""),
            started=round(time(), 3),
        )
        baseline = Baseline.model_validate_json(Path(path).read_bytes())
        return cls(about, baseline, classes, threshold)

    def observe(
        self,
        features: Mapping[str, Sequence[Any]],
        predictions: Sequence[Any],
        *,
        group: str | None = None,
    ) -> None:
        """Counts rows: `features` are columns of n values (None or NaN: missing), `predictions` n
        scores, numbers or classes. ValueError when a column is left out or has another length.
        Of a watched request the first call belongs to its answer."""
        seen = Observed(self._rows(features, len(predictions)), self._said(predictions), group)
        current = CURRENT.get()
        if current is not None and current.seen is None and not current.answered:
            current.seen = seen
            return
        with self._lock:
            jobs, rows = [_Job(Watching({}), seen)], seen.rows
            self._features.answered(jobs, rows.feed, seen.said, rows.size, self._recorder.second())

    def answered(self, request: Watching, status: int) -> None:
        """A watched request was answered. What was not observed of it has no rows."""
        request.answered = True
        with self._lock:
            if not 200 <= status < 300:
                self._recorder.failed(request, status)
                return
            seen = request.seen or self._nothing
            jobs, rows = [_Job(request, seen)], seen.rows
            self._recorder.answered(jobs, rows.feed, seen.said, rows.size)

    def answer(self, exchange: Answering) -> None:
        """A request to the monitor's port."""
        with self._lock:
            self._recorder.roll()
            self._router.handle(exchange)

    def _rows(self, features: Mapping[str, Sequence[Any]], size: int) -> Rows:
        signature = self._signature
        numbers = np.empty((size, len(signature.numeric)))
        names = np.empty((size, len(signature.categorical)), dtype=object)
        for column, name in enumerate(signature.numeric):
            numbers[:, column] = _column(features, name, size)
        for column, name in enumerate(signature.categorical):
            names[:, column] = [_text(value) for value in _column(features, name, size)]
        return Rows({"numeric": numbers, "categorical": names}, size)

    def _said(self, predictions: Sequence[Any]) -> Predictions:
        if isinstance(predictions, np.ndarray):
            predictions = predictions.tolist()
        if self._labelled:
            return Predictions(None, list(predictions))
        values = [float("nan") if value is None else float(value) for value in predictions]
        if not self._signature.classes:
            return Predictions(values)
        low, high = self._signature.classes
        return Predictions(
            values,
            [
                (high if value >= self._threshold else low) if isfinite(value) else None
                for value in values
            ],
        )


def _text(value: Any) -> str:
    missing = value is None or (isinstance(value, float) and isnan(value))
    return "" if missing else str(value)


def _column(features: Mapping[str, Sequence[Any]], name: str, size: int) -> Sequence[Any]:
    if name not in features:
        raise ValueError(f"{name}: is missing")
    if len(features[name]) != size:
        raise ValueError(f"{name}: {len(features[name])} values for {size} predictions")
    return features[name]


def _signature(baseline: Baseline, classes: tuple[Any, ...]) -> Signature:
    """Of a model with the baseline's columns. ValueError when the classes do not fit it."""
    scored = isinstance(baseline.prediction, NumericBaseline)
    if scored and len(classes) not in (0, 2):
        raise ValueError("the baseline is of scores or numbers: there are two classes, or none")
    if not isinstance(baseline.prediction, NumericBaseline):
        classes = classes or baseline.prediction.categories
    return Signature(
        task=None if not classes else "binary" if scored else "multiclass",
        inputs=(),
        outputs=(),
        numeric=tuple(feature.name for feature in baseline.numeric),
        categorical=tuple(feature.name for feature in baseline.categorical),
        classes=classes,
    )
