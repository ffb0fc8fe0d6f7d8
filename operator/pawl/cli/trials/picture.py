"""A search as a picture: the first objective by trial, with the best so far, and how much each
parameter decides. One HTML file that needs no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape

from pawl.artifacts.trials import Trial
from pawl.cli.svg import BLUE, GREY, ORANGE, svg, text
from pawl.core.search import Table

_WIDTH, _LEFT, _RIGHT, _TOP, _PLOT, _AXIS = 960, 150, 20, 12, 260, 36
_ROW = 24


def page(title: str, table: Table) -> str:
    """The whole page."""
    from pawl.search.importance import importances  # noqa: PLC0415 - imports optuna

    found = importances(table.search, table.trials.values())
    metric = table.search.objectives[0].metric
    best = table.best
    said = (
        f"best: trial {best.number}, {metric} {best.values[metric]:.6g}" if best else "no score yet"
    )
    decides = (
        f"<h2>Importance of the parameters (PED-ANOVA)</h2>{_importance(found)}" if found else ""
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{escape(title)}</title>"
        "<style>:root{color-scheme:light dark}body{font:15px system-ui;max-width:60rem;"
        "margin:2rem auto}svg{width:100%;font:13px system-ui}</style>"
        f"<h1>{escape(title)}</h1><p>{len(table.trials)} trials, {escape(said)}</p>"
        f"<h2>{escape(metric)} by trial</h2>{_history(table)}{decides}</html>\n"
    )


def _history(table: Table) -> str:
    first = table.search.objectives[0]
    done = [t for _, t in sorted(table.trials.items()) if t.outcome == "Succeeded"]
    values = [trial.values[first.metric] for trial in done]
    low, high = min(values, default=0.0), max(values, default=1.0)
    span, last = (high - low) or 1.0, max([*table.trials, 1])

    def x(number: int) -> float:
        return _LEFT + number / last * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _TOP + (high - value) / span * _PLOT

    bottom = _TOP + _PLOT + 8
    parts = [f'<path d="M{_LEFT} {bottom}H{_WIDTH - _RIGHT}" stroke="currentColor"/>']
    parts += [text(x(n), bottom + 19, str(n), "middle") for n in sorted({0, last // 2, last})]
    parts += [text(_LEFT - 10, y(v) + 4, f"{v:.4g}", "end") for v in {low, (low + high) / 2, high}]
    best, path = None, []
    for trial, value in zip(done, values, strict=True):
        up = first.direction == "maximize"
        best = value if best is None else max(best, value) if up else min(best, value)
        path.append(f"{x(trial.number):.1f},{y(best):.1f}")
    parts.append(f'<polyline points="{" ".join(path)}" fill="none" stroke="{ORANGE}"/>')
    parts += [_dot(x(t.number), y(t.values[first.metric]), t) for t in done]
    parts += list(_others(table, x, bottom))
    about = f"{first.metric} of {len(done)} trials; the line is the best so far"
    return svg(parts, _WIDTH, bottom + _AXIS, about)


def _dot(x: float, y: float, trial: Trial) -> str:
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{BLUE}"><title>{_words(trial)}</title>'
        "</circle>"
    )


def _others(table: Table, x: Callable[[int], float], bottom: float) -> Iterator[str]:
    """Pruned and failed trials, as crosses on the axis."""
    for trial in table.trials.values():
        if trial.outcome != "Succeeded":
            yield (
                f'<path d="M{x(trial.number) - 4:.1f} {bottom - 4}l8 8m0 -8l-8 8" '
                f'stroke="{GREY}"><title>{_words(trial)}</title></path>'
            )


def _words(trial: Trial) -> str:
    given = ", ".join(f"{name}={value}" for name, value in trial.parameters.items())
    scored = ", ".join(f"{name} {value:.6g}" for name, value in trial.values.items())
    return escape(f"trial {trial.number}: {scored or trial.outcome} ({given})")


def _importance(found: dict[str, float]) -> str:
    parts = []
    for row, (name, share) in enumerate(found.items()):
        top, width = row * _ROW + 4, share * (_WIDTH - _LEFT - 80)
        parts.append(text(_LEFT - 10, top + 14, name, "end"))
        parts.append(
            f'<rect x="{_LEFT}" y="{top}" width="{max(width, 1):.1f}" height="{_ROW - 6}" '
            f'fill="{BLUE}"/>'
        )
        parts.append(text(_LEFT + width + 8, top + 14, f"{share:.2f}", "start"))
    about = ", ".join(f"{name} {share:.2f}" for name, share in found.items())
    return svg(parts, _WIDTH, len(found) * _ROW + 8, f"Importance: {about}")
