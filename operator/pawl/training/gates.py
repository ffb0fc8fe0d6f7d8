"""Gates: is the finished model good enough to become a candidate?

min, max: the metric on the test rows against a limit; decided by the value, the 95 % interval is
reported beside it.

champion: d = metric(candidate) − metric(champion), turned so that more is better, on test rows that
neither was trained on, with a paired two-sided 95 % interval [lower, upper] and the margin
`notWorseBy`:

    Pass          lower > −margin          the candidate is shown to be not worse by the margin
    Fail          upper < −margin          it is shown to be worse by more than the margin
    Inconclusive  otherwise, or fewer than `minRows` rows are left

dummy: the first version of a model is compared in the same way, margin 0, with a model that ignores
the features.

Slices of the rows, fairness, and gates on the artifact: `gate_slices`, `gate_fairness`,
`gate_artifact`.

After a retrain the test rows are the newest window; a result then names it, and says what the
metric is on older rows. Nothing is decided by that.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from pawl.api.evaluation import ChampionGate, Gate
from pawl.api.metrics import DEFAULT_METRICS, METRICS
from pawl.artifacts.records import OldWindow, Task, Verdict, Window
from pawl.artifacts.runs import GateResult
from pawl.errors import PawlError
from pawl.stats.intervals import Estimate, metric_interval, paired_difference
from pawl.stats.metrics import Answers, Truth, UndefinedMetricError

#: A constant answer can be best in these: all rows positive has recall 1.
_CONSTANT_WINS = frozenset({"recall", "precision", "f1", "accuracy"})


@dataclass(frozen=True, slots=True)
class Rival:
    """Another model's answers to some of the test rows: those it may be compared on."""

    truth: Truth
    candidate: Answers
    rival: Answers
    left_out: int = 0  # test rows that the rival was trained on
    table: pa.Table | None = None  # all columns of the rows, for slices


def bound(gate: Gate, truth: Truth, said: Answers, seed: int) -> GateResult:
    """Decides a min or max gate."""
    kind, limit = ("min", gate.min) if gate.min is not None else ("max", gate.max)
    if limit is None:
        raise ValueError("neither min nor max")
    try:
        found = metric_interval(gate.name, truth, said, seed=seed)
    except UndefinedMetricError as error:
        return undecided(gate.name, kind, limit, len(truth), str(error), gate)
    holds = found.value >= limit if kind == "min" else found.value <= limit
    gap = abs(found.value - limit)
    side = "above" if found.value >= limit else "below"
    message = (
        f"{gate.name} {found.value:.4g} is {gap:.3g} {side} the limit {kind} {limit:g} "
        f"(95 % interval {found.lower:.4g} to {found.upper:.4g}, {found.n:,} rows)"
    )
    return result_of(gate.name, kind, limit, found, "Pass" if holds else "Fail", message, gate)


def champion(gate: Gate, wanted: ChampionGate, rival: Rival, name: str, seed: int) -> GateResult:
    """Decides a champion gate against the champion called `name`."""
    n, margin = len(rival.truth), wanted.not_worse_by
    if n < wanted.min_rows:
        return undecided(
            gate.name,
            "champion",
            margin,
            n,
            f"{n:,} test rows are left that {name} was not trained on ({rival.left_out:,} left "
            f"out), {wanted.min_rows:,} are needed",
            gate,
        )
    try:
        found = _advantage(gate.name, rival, seed)
    except UndefinedMetricError as error:
        return undecided(gate.name, "champion", margin, n, str(error), gate)
    verdict = decide(found, margin)
    message = (
        _compared(gate.name, found, name)
        + {
            "Pass": f": not worse by {margin:g}",
            "Fail": f": worse by more than {margin:g}",
            "Inconclusive": f": too close to tell whether it is worse by {margin:g}",
            "Error": "",
        }[verdict]
    )
    return result_of(gate.name, "champion", margin, found, verdict, message, gate)


def dummy(task: Task, metrics: tuple[str, ...], rival: Rival, seed: int) -> GateResult:
    """Decides whether a first version beats a model that ignores the features, in the first of
    `metrics` that such a model cannot win."""
    fair = [name for name in metrics if name not in _CONSTANT_WINS]
    metric = fair[0] if fair else DEFAULT_METRICS[task][0]
    try:
        found = _advantage(metric, rival, seed)
    except UndefinedMetricError as error:
        return undecided(metric, "dummy", 0.0, len(rival.truth), str(error), None)
    verdict = decide(found, 0.0)
    message = _compared(metric, found, "a model that ignores the features") + (
        "" if verdict == "Pass" else ": it must be shown to be better"
    )
    return result_of(metric, "dummy", 0.0, found, verdict, message, None)


def not_comparable(gate: Gate, wanted: ChampionGate, error: PawlError) -> GateResult:
    """The champion could not be scored on these data."""
    return GateResult(
        metric=gate.name,
        kind="champion",
        required=gate.required,
        limit=wanted.not_worse_by,
        value=None,
        n=0,
        verdict="Error",
        message=f"the champion cannot be compared: {error}",
    )


def of_window(result: GateResult, window: Window, old: OldWindow | None) -> GateResult:
    """`result` with the window in its sentence, and beside it the metric on older rows."""
    message = f"{result.message}; rows since {window.start}"
    whole = old is not None and result.column is None
    value = old.values.get(result.metric) if old is not None and whole else None
    if old is not None and value is not None:
        message += f", on {old.rows:,} older ones {value:.4g}"
        champion = old.champion.get(result.metric)
        message += f" (champion {champion:.4g})" if champion is not None else ""
    return result.model_copy(update={"message": message})


def decide(advantage: Estimate, margin: float) -> Verdict:
    """The three-way verdict of the module's docstring."""
    if advantage.lower > -margin:
        return "Pass"
    return "Fail" if advantage.upper < -margin else "Inconclusive"


def _advantage(metric: str, rival: Rival, seed: int) -> Estimate:
    """How much better the candidate is: positive is better whatever the metric's direction."""
    d = paired_difference(metric, rival.truth, rival.candidate, rival.rival, seed=seed)
    if METRICS[metric].higher_is_better:
        return d
    return Estimate(-d.value, -d.upper, -d.lower, d.n)


def _compared(metric: str, found: Estimate, name: str) -> str:
    better = "better" if found.value >= 0 else "worse"
    return (
        f"{metric} is {abs(found.value):.4g} {better} than that of {name} (95 % interval of the "
        f"advantage {found.lower:.4g} to {found.upper:.4g}, {found.n:,} rows)"
    )


def result_of(
    metric: str,
    kind: str,
    limit: float,
    found: Estimate,
    verdict: Verdict,
    message: str,
    gate: Gate | None,
) -> GateResult:
    """A gate that was decided by `found`; without a `gate` it is one that every version has."""
    return GateResult.model_validate(
        {
            "metric": metric,
            "kind": kind,
            "required": True if gate is None else gate.required,
            "limit": limit,
            "value": found.value,
            "interval": (found.lower, found.upper),
            "n": found.n,
            "verdict": verdict,
            "message": message,
        }
    )


def undecided(
    metric: str, kind: str, limit: float, n: int, why: str, gate: Gate | None
) -> GateResult:
    """A gate that says nothing of these rows."""
    return GateResult.model_validate(
        {
            "metric": metric,
            "kind": kind,
            "required": True if gate is None else gate.required,
            "limit": limit,
            "value": None,
            "n": n,
            "verdict": "Inconclusive",
            "message": f"{metric}: {why}",
        }
    )
