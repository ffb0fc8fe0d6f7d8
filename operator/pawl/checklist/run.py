"""Runs the cases against a model, whoever holds it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pawl.checklist.cases import Case, Checklist, Value

_BATCH = 64


class Said(NamedTuple):
    """Answers to n rows. `scores` [n, k]: the number, the probability of the positive class (k is
    1), or those of all classes."""

    labels: Sequence[Any] | None
    scores: NDArray[np.float64]


Answer = Callable[[Sequence[dict[str, Value]]], Said]


def misfits(checklist: Checklist, inputs: Sequence[str], classes: Sequence[Any]) -> list[str]:
    """What in the cases does not fit the model: sentences, at most one a case."""
    return [
        f'"{case.name}" {what}'
        for case in checklist.cases
        if (what := _misfit(case, inputs, classes)) is not None
    ]


def _misfit(case: Case, inputs: Sequence[str], classes: Sequence[Any]) -> str | None:
    unknown = sorted({*case.input, *(case.change or ())} - {*inputs})
    if unknown:
        return f"has {unknown[0]}, which is no input of the model"
    missing = sorted({*inputs} - case.input.keys())
    if missing:
        return f"lacks {missing[0]} (null where it is missing)"
    label = case.expected.label if case.expected else None
    for word, value in (("label", label), ("class", case.class_)):
        if value is not None and value not in classes:
            return f"has {word} {value}, which is none of {', '.join(map(str, classes)) or 'none'}"
    scored = case.type == "directional" or (label is None and case.type == "golden")
    if scored and len(classes) > 2 and case.class_ is None:
        return "needs class: of which class is the score?"
    return None


def run(checklist: Checklist, answer: Answer, classes: Sequence[Any]) -> list[str]:
    """A sentence for each case that fails. The cases must fit (`misfits`)."""
    rows: list[dict[str, Value]] = []
    for case in checklist.cases:
        rows.append(case.input)
        if case.change is not None:
            rows.append(case.input | case.change)
    parts = [answer(rows[start : start + _BATCH]) for start in range(0, len(rows), _BATCH)]
    scores = np.concatenate([part.scores for part in parts])
    labels = [label for part in parts for label in (part.labels or ())]
    failures: list[str] = []
    place = 0
    for case in checklist.cases:
        count = 2 if case.change is not None else 1
        found = _failure(case, scores[place : place + count], labels[place : place + 1], classes)
        if found is not None:
            failures.append(f'{case.type} "{case.name}": {found}')
        place += count
    return failures


def _failure(
    case: Case, scores: NDArray[np.float64], labels: Sequence[Any], classes: Sequence[Any]
) -> str | None:
    """Of one case: `scores` of its input and, beside it, of the changed one."""
    if not np.isfinite(scores).all():
        return "the model gives no number"
    if case.expected is not None and case.expected.label is not None:
        wanted, said = case.expected.label, labels[0]
        return None if said == wanted else f"says {said}, not {wanted}"
    if case.type == "invariance":
        moved = float(np.abs(scores[1] - scores[0]).max())
        still = moved <= case.tolerance
        return None if still else f"moves by {moved:.6g}, at most {case.tolerance:g} is allowed"
    return _moved_wrongly(case, _score(case, scores, classes))


def _score(case: Case, scores: NDArray[np.float64], classes: Sequence[Any]) -> tuple[float, float]:
    """Of the class that the case is about: of its input, and of the changed one."""
    column = classes.index(case.class_) if scores.shape[1] > 1 else 0
    first, last = float(scores[0, column]), float(scores[-1, column])
    negative = len(classes) == 2 and case.class_ is not None and case.class_ == classes[0]
    return (1 - first, 1 - last) if negative else (first, last)


def _moved_wrongly(case: Case, score: tuple[float, float]) -> str | None:
    first, last = score
    if case.expected is not None:
        wanted = case.expected.score or 0.0
        near = abs(first - wanted) <= case.tolerance
        return None if near else f"gives {first:.6g}, not {wanted:g} ± {case.tolerance:g}"
    if case.expect == "notLower" and last - first < -case.tolerance:
        return f"falls from {first:.6g} to {last:.6g}"
    if case.expect == "notHigher" and last - first > case.tolerance:
        return f"rises from {first:.6g} to {last:.6g}"
    return None
