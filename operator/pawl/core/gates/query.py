"""Gates on a number that Prometheus has. No error rate can be stated for them."""

from __future__ import annotations

from pawl.api.rollout_status import ArmStatus, RolloutGate
from pawl.core.gates.definition import Definition
from pawl.core.gates.rule import Alphas, rounded
from pawl.core.gates.sample import Sample

#: So often in a row the number must be inside or outside of its limits, so many seconds apart: one
#: that is asked for sooner is of the same samples.
_IN_A_ROW, _APART = 3, 15


def prometheus(gate: RolloutGate, d: Definition, s: Sample, _: Alphas) -> RolloutGate:
    """A number within its limits several times in a row passes, outside of them fails."""
    query = d.query
    value = s.measured.queries.get(query.query) if query is not None else None
    if query is None or value is None:
        return gate.model_copy(update={"message": "Prometheus has no value for the query"})
    inside = (query.min is None or value >= query.min) and (query.max is None or value <= query.max)
    word = "in" if inside else "out"
    row, counted = _row(gate.evidence, word, s.measured.end)
    verdict = gate.verdict
    if row >= _IN_A_ROW:
        verdict = "Pass" if inside else "Fail"
    return gate.model_copy(
        update={
            "evidence": f"{word} {row} {counted}",
            "verdict": verdict,
            "candidate": ArmStatus(value=rounded(value), samples=row),
            "message": f"{value:.4g}, {word}side of the limits {row} times in a row "
            "(no stated error rate)",
        }
    )


def _row(evidence: str, word: str, now: int) -> tuple[int, int]:
    """How often in a row it has been so, and when that was counted last."""
    kind, *numbers = evidence.split(" ")
    if kind != word or len(numbers) != 2 or not all(number.isdigit() for number in numbers):
        return 1, now
    row, counted = map(int, numbers)
    return (row, counted) if abs(now - counted) < _APART else (row + 1, now)
