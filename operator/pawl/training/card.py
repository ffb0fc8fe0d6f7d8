"""card.md: the version in words, for people. No time and no run in it: it is part of the digest.

The last section, what has moved since the champion then was trained, is of that champion too; the
rest is of recipe, data and image (`lasting`), and of a retrain's champion the scores on older rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from pawl.artifacts.records import (
    Baseline,
    DataLineage,
    Lineage,
    Metrics,
    OldWindow,
    Proxy,
    Signature,
    Window,
)
from pawl.artifacts.runs import Moved
from pawl.training import card_parts, labels
from pawl.training.proxies import told

_MOST_FAILURES = 50


def render(
    signature: Signature,
    metrics: Metrics,
    lineage: Lineage,
    profile: Baseline,
    failures: Sequence[str] = (),
    *,
    moved: Moved | None = None,
) -> str:
    """Markdown. `failures`: of the model tests."""
    lines = [
        "# Model card",
        "",
        f"Task **{signature.task}**, {len(signature.inputs)} features"
        + (f", classes {', '.join(map(str, signature.classes))}" if signature.classes else "")
        + (f", threshold {signature.threshold:.6g}" if signature.threshold is not None else "")
        + f". Trained by `{_trainer(lineage)}` with seed {lineage.seed}"
        + (f" on {lineage.threads} threads." if lineage.threads > 1 else "."),
        "",
        f"## Scores on {metrics.rows:,} held-out rows",
        "",
        "| metric | model | ignoring the features | validation |",
        "| --- | --- | --- | --- |",
    ]
    for name, value in metrics.values.items():
        beside = (metrics.dummy.get(name), metrics.validation.get(name))
        shown = " | ".join("–" if other is None else f"{other:.4f}" for other in beside)
        lines.append(f"| {name} | {value:.4f} | {shown} |")
    if metrics.old_window is not None:
        lines += _old_window(metrics.old_window)
    lines += card_parts.slices(metrics.slices)
    lines += card_parts.importance(metrics)
    if metrics.proxies:
        lines += _proxies(metrics.proxies)
    if failures:
        lines += ["", f"## {len(failures):,} failed model tests", ""]
        lines += [f"* {sentence}" for sentence in failures[:_MOST_FAILURES]]
    lines += ["", "## Data", "", _data(lineage.data)]
    if metrics.agreement is not None:
        lines += ["", f"Labels: {labels.told(metrics.agreement)}."]
    lines += card_parts.inputs(signature, profile)
    lines += card_parts.limits(metrics, lineage)
    lines += card_parts.lineage(lineage)
    if moved is not None and moved.features:
        lines += card_parts.moves(moved)
    return "\n".join([*lines, ""])


def lasting(text: str) -> str:
    """A card without what depends on the champion: that which is the same made again."""
    before, found, _ = text.rpartition(f"\n{card_parts.MOVED}")
    return before if found else text


def _trainer(lineage: Lineage) -> str:
    own = lineage.trainer
    return str(own.get("sklearn", {}).get("estimator") or own.get("container", {}).get("image", ""))


def _data(data: DataLineage) -> str:
    return (
        f"`{data.uri}`, {data.rows:,} rows ({data.train_rows:,} train, "
        f"{data.validation_rows:,} validation, {data.test_rows:,} test), content `{data.digest}`."
        + (f" {_cut(data.window)}" if data.window is not None else "")
    )


def _old_window(old: OldWindow) -> list[str]:
    lines = [
        "",
        f"## Scores on {old.rows:,} older held-out rows",
        "",
        "| metric | model | champion then |",
        "| --- | --- | --- |",
    ]
    for name, value in old.values.items():
        other = old.champion.get(name)
        lines.append(f"| {name} | {value:.4f} | {'–' if other is None else f'{other:.4f}'} |")
    return lines


def _proxies(found: tuple[Proxy, ...]) -> list[str]:
    return [
        "",
        "## What the features tell of sensitive columns",
        "",
        *(f"* `{proxy.column}`: {told(proxy)}" for proxy in found),
    ]


def _cut(window: Window) -> str:
    return (
        f"A retrain: the test rows are the newest, from {window.start} to {window.end}; rows from "
        f"{window.embargo} until then were left out, older ones trained on."
    )
