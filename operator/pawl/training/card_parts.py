"""Sections of the model card: slices and fairness, importance, inputs, limits, lineage, moves."""

from __future__ import annotations

from collections.abc import Sequence

from pawl.artifacts.records import Baseline, Lineage, Metrics, Signature, SliceScore
from pawl.artifacts.runs import Moved
from pawl.training import moved
from pawl.training.importance import REPEATS, ROWS
from pawl.training.slice_scores import FEWEST

_MOST_FEATURES = 30
#: How the heading of `moves` begins.
MOVED = "## Moved since "


def slices(scores: Sequence[SliceScore]) -> list[str]:
    """A table a column; of binary models the difference of the shares of positive answers."""
    lines: list[str] = []
    for column in dict.fromkeys(score.column for score in scores):
        here = [score for score in scores if score.column == column]
        lines += ["", f"## By `{column}`", ""]
        lines += [
            f"| {_cell(column)} | rows | {here[0].metric} | 95 % interval | positive answers |"
        ]
        lines += ["| --- | --- | --- | --- | --- |"]
        lines += [_slice(score) for score in here]
        shares = [score.positive for score in here if score.positive is not None]
        if len(shares) > 1:
            gap = max(shares) - min(shares)
            lines += ["", f"Demographic parity difference over `{column}`: {gap:.4f}."]
    return lines


def importance(metrics: Metrics) -> list[str]:
    """The features that count most."""
    found = metrics.importance
    if not found:
        return []
    metric = next(iter(metrics.values), "the first metric")
    lines = ["", "## What the model goes by", ""]
    lines += [
        f"How much worse {metric} gets when a column is shuffled (mean and standard deviation of "
        f"{REPEATS} shuffles of at most {ROWS:,} validation rows). Features that tell the same "
        "share it."
    ]
    lines += ["", "| feature | worse by |", "| --- | --- |"]
    lines += [
        f"| {_cell(one.feature)} | {one.drop:.4f} ± {one.spread:.4f} |"
        for one in found[:_MOST_FEATURES]
    ]
    if len(found) > _MOST_FEATURES:
        lines += ["", f"{len(found) - _MOST_FEATURES} more are in `metrics.json`."]
    return lines


def inputs(signature: Signature, profile: Baseline) -> list[str]:
    """Each input, and what the training rows had there."""
    numbers = {one.name: one for one in profile.numeric}
    categories = {one.name: one for one in profile.categorical}
    lines = [
        "",
        "## Inputs",
        "",
        "| input | type | in training | missing |",
        "| --- | --- | --- | --- |",
    ]
    for tensor in signature.inputs:
        seen, missing = "–", "–"
        if (number := numbers.get(tensor.name)) is not None:
            seen = f"{number.minimum:.6g} to {number.maximum:.6g}"
            missing = f"{number.missing / max(profile.rows, 1):.1%}"
        elif (known := categories.get(tensor.name)) is not None:
            seen = f"{len(known.categories)} frequent categories"
            missing = f"{known.missing / max(profile.rows, 1):.1%}"
        lines.append(f"| {_cell(tensor.name)} | {tensor.datatype} | {seen} | {missing} |")
    return lines


def limits(metrics: Metrics, lineage: Lineage) -> list[str]:
    """For what these numbers do not speak."""
    data = lineage.data
    until = f" up to {data.newest}" if data.newest else ""
    few = [f"{s.column} {_cell(s.value)}" for s in metrics.slices if s.score is None]
    lines = [
        "",
        "## Limits",
        "",
        f"* The scores are of {metrics.rows:,} rows of the same data{until}; they do not speak for "
        "other sources or for later, which is what drift and gates on live traffic are for.",
        "* Numbers outside the ranges above, and categories that training has not seen, are "
        "answered too, without having been tried.",
    ]
    if few:
        lines.append(f"* Not scored, with fewer than {FEWEST} rows or one class: {', '.join(few)}.")
    if not metrics.slices:
        lines.append("* No slices were looked at: no column is sensitive, and no gate names one.")
    return lines


def lineage(told: Lineage) -> list[str]:
    """What decided the model."""
    lines = ["", "## Lineage", "", f"* recipe `{told.recipe_digest}`", f"* image `{told.image}`"]
    if (search := told.search) is not None:
        lines.append(f"* search {search.algorithm}: trial {search.trial} of {search.trials}")
    versions = ", ".join(f"{name} {version}" for name, version in sorted(told.environment.items()))
    return [*lines, f"* {versions}"]


def moves(since: Moved) -> list[str]:
    """How far the features have moved since the champion was trained, the farthest first."""
    shown = since.features[:_MOST_FEATURES]
    lines = [
        "",
        f"{MOVED}{since.version} was trained",
        "",
        "The population stability index of the training rows, of that version and of this one, "
        f"without what chance adds to it. Above {moved.LIMIT:g} a feature has moved.",
        "",
        "| feature | psi |",
        "| --- | --- |",
        *(f"| {_cell(one.feature)} | {one.psi:.4f} |" for one in shown),
    ]
    if since.compared > len(shown):
        lines += ["", f"{since.compared - len(shown):,} more have moved less."]
    return lines


def _slice(score: SliceScore) -> str:
    value = "–" if score.score is None else f"{score.score:.4f}"
    low, high = score.interval or (None, None)
    interval = "–" if low is None else f"{low:.4f} to {high:.4f}"
    positive = "–" if score.positive is None else f"{score.positive:.1%}"
    return f"| {_cell(score.value)} | {score.rows:,} | {value} | {interval} | {positive} |"


def _cell(text: str) -> str:
    """What comes from the data, so that it stays in its cell."""
    return " ".join(text[:64].split()).replace("|", "\\|")
