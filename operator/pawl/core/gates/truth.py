"""Accuracy from feedback: predictions that the truth, when it came, proved right or wrong.

Truth that comes late is about older predictions, so the two versions are compared age by age. And
it may come for one version more often than for the other (only complaints are told, say): then the
comparison would say more about who tells than about the models. Of the truth about predictions that
were made while the candidate had w per cent, w per cent must be about the candidate (α = 0.001).
"""

from __future__ import annotations

from typing import NamedTuple

from pawl.api.rollout_status import ArmStatus, RolloutGate
from pawl.core.gates.arms import compared
from pawl.core.gates.definition import Definition
from pawl.core.gates.rule import NO_FEEDBACK, Alphas, load, rounded
from pawl.core.gates.sample import Sample
from pawl.stats.sequential import ratio
from pawl.stats.sequential.proportions import Interval

#: The least share of the predictions that truth must have come for.
COVERAGE = 0.2


class _Coverage(NamedTuple):
    """Predictions, and those with truth, of both versions since the gate's beginning."""

    stable_n: int = 0
    stable_k: int = 0
    candidate_n: int = 0
    candidate_k: int = 0

    @classmethod
    def load(cls, text: str) -> _Coverage:
        words = text.split()
        return (
            cls(*map(int, words)) if len(words) == 4 and text.replace(" ", "").isdigit() else cls()
        )

    def plus(self, s: Sample) -> _Coverage:
        return _Coverage(
            self.stable_n + s.stable.predictions,
            self.stable_k + s.stable.labelled,
            self.candidate_n + s.candidate.predictions,
            self.candidate_k + s.candidate.labelled,
        )

    def dump(self) -> str:
        return " ".join(map(str, self))

    @property
    def shares(self) -> tuple[float, float]:
        """(stable, candidate)"""
        return (
            min(1.0, self.stable_k / max(self.stable_n, 1)),
            min(1.0, self.candidate_k / max(self.candidate_n, 1)),
        )


def accuracy(gate: RolloutGate, d: Definition, s: Sample, a: Alphas) -> RolloutGate:
    """Share of wrong predictions, shown as the share that was right; Inconclusive while truth comes
    for less than COVERAGE of the predictions, or not alike for both versions."""
    inner, told, counts = (*gate.evidence.split("|"), "", "", "")[:3]
    judged = compared(gate.model_copy(update={"evidence": inner}), d, s, a, _strata(s))
    split = _told_alike(load(ratio, gate.model_copy(update={"evidence": told})), s)
    coverage = _Coverage.load(counts).plus(s)
    verdict, message = judged.verdict, judged.message and f"wrong: {judged.message}"
    stable, candidate = coverage.shares
    words = (
        f"truth came for {candidate:.0%} of the predictions, {stable:.0%} of the stable version's"
    )
    if not coverage.candidate_k:
        message = NO_FEEDBACK
    elif split.mismatch():
        verdict, message = "Inconclusive", f"{words}: not alike, so nothing can be compared"
    elif min(stable, candidate) < COVERAGE:
        verdict, message = "Inconclusive", f"{words}; {COVERAGE:.0%} are needed"
    return judged.model_copy(
        update={
            "evidence": "|".join((judged.evidence, split.dump(), coverage.dump())),
            "verdict": verdict,
            "stable": _right(judged.stable),
            "candidate": _right(judged.candidate),
            "message": (message or NO_FEEDBACK)[:256],
        }
    )


def _strata(s: Sample) -> list[Interval]:
    """Predictions of equal age; those of an age that only one version has say nothing."""
    stable, candidate = s.stable, s.candidate
    if not stable.ages and not candidate.ages:
        return [Interval(stable.labelled, stable.wrong, candidate.labelled, candidate.wrong)]
    none = (0, 0)
    return [
        Interval(*stable.ages.get(age, none), *candidate.ages.get(age, none))
        for age in sorted(stable.ages.keys() & candidate.ages.keys())
    ]


def _told_alike(state: ratio.SampleRatio, s: Sample) -> ratio.SampleRatio:
    """Truth about predictions of the same time: the weights of both then sum to 100."""
    effect = s.share_design_effect or state.design_effect
    for weight, count in sorted(s.candidate.weights.items()):
        if 0 < weight < 100:
            others = s.stable.weights.get(100 - weight, 0)
            state = ratio.update(state, others, count, share=weight / 100, design_effect=effect)
    return state


def _right(arm: ArmStatus | None) -> ArmStatus | None:
    if arm is None or arm.value is None or not arm.samples:
        return arm
    return ArmStatus(value=rounded(1 - arm.value), samples=arm.samples)
