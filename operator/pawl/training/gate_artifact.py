"""Gates that need no other model: on the calibration, the size and the latency of the artifact that
will be served, and on how well the features predict a sensitive column.

* calibration: the error of `stats.calibration`. *Pass* when the interval's upper bound is at most
  the maximum, *Fail* when its lower bound is above it.
* proxy: of what `proxies` found, in the same way.
* size: of the file that a server loads, model.onnx or model.skops.
* latency: the 95th percentile of calls with `batch` test rows each, on one thread, after ten calls
  to warm up; as many as a second and a half allows, 20 at least and 2,000 at most. It is what the
  node of the training pod gives at that moment, so it differs from run to run: the limit should be
  well away from what is expected. The interval is that of order statistics.
"""

from __future__ import annotations

import time

import numpy as np

from pawl.api.evaluation import Gate
from pawl.artifacts.bundle import MODEL_ONNX, MODEL_SKOPS
from pawl.artifacts.records import Proxy, Verdict
from pawl.artifacts.runs import GateResult
from pawl.stats.calibration import BINS, brier, calibration
from pawl.stats.intervals import Z95, Estimate
from pawl.stats.metrics import Answers, Truth, UndefinedMetricError
from pawl.training.artifact import Served
from pawl.training.features import Matrix
from pawl.training.gates import result_of, undecided
from pawl.training.proxies import told
from pawl.training.workspace import Workspace

_WARM_UP, _FEWEST, _MOST = 10, 20, 2000
_SECONDS = 1.5
_QUANTILE = 0.95


def calibrated(gate: Gate, truth: Truth, said: Answers, seed: int) -> GateResult:
    """Decides a calibration gate."""
    if gate.calibration is None:
        raise ValueError("no calibration")
    limit = gate.calibration.max
    try:
        plain, found = calibration(truth, said, seed=seed)
    except UndefinedMetricError as error:
        return undecided(gate.name, "max", limit, len(truth), str(error), gate)
    verdict = _by_interval(found, limit)
    message = (
        f"the expected calibration error is {found.value:.4g} (maximum {limit:g}; 95 % interval "
        f"{found.lower:.4g} to {found.upper:.4g}, {found.n:,} rows in {BINS} bins; {plain:.4g} "
        f"with the noise of so many rows; Brier score {brier(truth, said):.4g})"
    )
    return result_of(gate.name, "max", limit, found, verdict, message, gate)


def proxy(gate: Gate, found: Proxy | None) -> GateResult:
    """Decides a gate on how well a sensitive column is predicted, as `calibrated` does."""
    if gate.proxy is None:
        raise ValueError("no proxy")
    limit, column = gate.proxy.max, gate.proxy.column
    if found is None:
        why = f'"{column}" cannot be judged: too few rows, or one value only'
        result = undecided(gate.name, "max", limit, 0, why, gate)
    else:
        estimate = Estimate(found.estimate, *found.interval, found.rows)
        message = (
            f'the features predict sensitive column "{column}" (maximum {limit:g}; {told(found)})'
        )
        verdict = _by_interval(estimate, limit)
        result = result_of(gate.name, "max", limit, estimate, verdict, message, gate)
    return result.model_copy(update={"column": column})


def size(gate: Gate, served: Served, work: Workspace) -> GateResult:
    """Decides a gate on the size."""
    if gate.size_bytes is None:
        raise ValueError("no sizeBytes")
    name = MODEL_ONNX if served.choice.format == "onnx" else MODEL_SKOPS
    value, limit = (work.output / name).stat().st_size, gate.size_bytes.max
    verdict: Verdict = "Pass" if value <= limit else "Fail"
    message = f"{name} has {value:,} bytes (maximum {limit:,})"
    found = Estimate(float(value), float(value), float(value), 1)
    return result_of(gate.name, "max", float(limit), found, verdict, message, gate)


def latency(gate: Gate, served: Served, rows: Matrix) -> GateResult:
    """Measures, and decides a gate on the latency."""
    if gate.latency_millis is None:
        raise ValueError("no latencyMillis")
    limit, batch = gate.latency_millis.max, gate.latency_millis.batch
    found = percentile(_measured(served, rows, batch))
    verdict: Verdict = "Pass" if found.value <= limit else "Fail"
    message = (
        f"95 % of {found.n:,} calls with {batch:,} rows take at most {found.value:.3g} ms (maximum "
        f"{limit:g}; 95 % interval {found.lower:.3g} to {found.upper:.3g}, one thread)"
    )
    return result_of(gate.name, "max", limit, found, verdict, message, gate)


def _by_interval(found: Estimate, limit: float) -> Verdict:
    if found.upper <= limit:
        return "Pass"
    return "Fail" if found.lower > limit else "Inconclusive"


def percentile(millis: list[float]) -> Estimate:
    """The 95th percentile and its interval: the order statistics at n·q ± 1.96·√(n·q·(1 − q))."""
    ordered, n = sorted(millis), len(millis)
    half = Z95 * np.sqrt(n * _QUANTILE * (1 - _QUANTILE))
    places = (n * _QUANTILE, n * _QUANTILE - half, n * _QUANTILE + half)
    value, low, high = (ordered[int(np.clip(np.ceil(at) - 1, 0, n - 1))] for at in places)
    return Estimate(value, low, high, n)


def _measured(served: Served, rows: Matrix, batch: int) -> list[float]:
    """Milliseconds of each call; the rows are taken in turn, again and again."""
    calls: list[float] = []
    began = time.perf_counter()
    for i in range(_WARM_UP + _MOST):
        some = rows.take((np.arange(batch) + i * batch) % len(rows))
        start = time.perf_counter()
        served.engine.scores(some)
        end = time.perf_counter()
        if i >= _WARM_UP:
            calls.append((end - start) * 1000)
        if len(calls) >= _FEWEST and end - began > _SECONDS:
            break
    return calls
