"""Fairness gates: how far apart the rates of groups are on the test rows.

The definitions are Fairlearn's, the verdict that of `stats.drift.fairness`, as for a served
version: *Pass* when every difference's upper 95 % bound is below the maximum, *Fail* when one is
proved to be above it. The groups' own rates are told beside, with Wilson's interval.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pawl.api.evaluation import Gate
from pawl.artifacts.records import Verdict
from pawl.artifacts.runs import GateResult, SliceResult
from pawl.stats.drift import fairness
from pawl.stats.drift.performance import HUNDRED, Confusion
from pawl.stats.drift.rates import wilson
from pawl.stats.metrics import Answers, Truth
from pawl.training.gate_slices import values_of
from pawl.training.gates import result_of, undecided

_SHOWN = {"recall": "true positive rate", "fpr": "false positive rate"}


def decide(gate: Gate, table: pa.Table, truth: Truth, said: Answers) -> GateResult:
    """The verdict on a binary model's answers to the rows of `table`."""
    column, maximum = gate.attribute, gate.max
    if column is None or maximum is None or said.labels is None:
        raise ValueError("fairness needs attribute, max and labels")
    values = values_of(table, column)
    seen = {
        name: _confusion(truth[values == name], said.labels[values == name])
        for name in sorted(set(values.tolist()))
    }
    judged = _judged(gate.name, seen, maximum)
    few = f"; not judged, with fewer than {HUNDRED} rows: {', '.join(judged.few)}"
    beside = few if judged.few else ""
    if not judged.gaps:
        result = undecided(
            gate.name, "max", maximum, len(truth), f"no two groups of {column}{beside}", gate
        )
    else:
        widest = judged.failed[0] if judged.failed else judged.gaps[0]
        e = widest.difference
        rate = _SHOWN.get(widest.kind, "share of positive answers")
        message = (
            f"{rate} is {e.value:.4g} higher where {column} is {widest.high} than where it is "
            f"{widest.low} (maximum {maximum:g}; 95 % interval {e.lower:.4g} to {e.upper:.4g}, "
            f"{e.n:,} rows){beside}"
        )
        result = result_of(gate.name, "max", maximum, e, judged.verdict, message, gate)
    groups = _groups(gate.name, seen, judged)
    return result.model_copy(update={"column": column, "slices": groups})


def _judged(metric: str, seen: dict[str, Confusion], maximum: float) -> fairness.Fairness:
    if metric == "demographic_parity_difference":
        shares = {name: _rows(group, "") for name, group in seen.items()}
        return fairness.demographic_parity({g: (n, k) for g, (k, n) in shares.items()}, maximum)
    if metric == "equal_opportunity_difference":
        return fairness.equal_opportunity(seen, maximum)
    return fairness.equalised_odds(seen, maximum)


def _confusion(truth: Truth, labels: NDArray[np.int64]) -> Confusion:
    count = np.bincount(2 * truth.astype(np.int64) + labels, minlength=4).tolist()
    return Confusion(tn=count[0], fp=count[1], fn=count[2], tp=count[3])


def _rows(group: Confusion, kind: str) -> tuple[int, int]:
    """k of n of a rate; without a kind of positive answers."""
    if kind:
        return group.rate(kind)
    return group.tp + group.fp, group.tp + group.fp + group.fn + group.tn


def _groups(
    metric: str, seen: dict[str, Confusion], judged: fairness.Fairness
) -> tuple[SliceResult, ...]:
    """Each group's rates. A group's verdict is that on its differences from the others."""
    kinds = {
        "demographic_parity_difference": ("",),
        "equal_opportunity_difference": ("recall",),
    }.get(metric, ("recall", "fpr"))
    told = []
    for kind in kinds:
        for name, group in seen.items():
            k, n = _rows(group, kind)
            shown = f"{name}, {_SHOWN[kind]}" if len(kinds) > 1 else name
            if n < HUNDRED:
                told.append(SliceResult(name=shown, value=None, n=n, verdict="Inconclusive"))
                continue
            low, high = wilson(np.array([k / n]), np.array([float(n)]))
            told.append(
                SliceResult(
                    name=shown,
                    value=k / n,
                    interval=(float(low[0]), float(high[0])),
                    n=n,
                    verdict=_verdict(name, kind, judged),
                )
            )
    return tuple(told)


def _verdict(group: str, kind: str, judged: fairness.Fairness) -> Verdict:
    mine = [gap for gap in judged.gaps if gap.kind == kind and group in (gap.high, gap.low)]
    if any(gap in judged.failed for gap in mine):
        return "Fail"
    holds = mine and all(gap.difference.upper < judged.maximum for gap in mine)
    return "Pass" if holds else "Inconclusive"
