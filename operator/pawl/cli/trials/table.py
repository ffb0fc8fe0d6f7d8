"""The trials as a table, with a bar that says how far the search is."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table as Grid
from rich.text import Text

from pawl.api.search import TrialCounts
from pawl.api.trainingjob import TrainingJob
from pawl.artifacts.trials import Trial
from pawl.core.search import Table

#: Lines of a table; the newest are shown, and the best.
_MOST = 30


def render(job: TrainingJob, table: Table) -> RenderableType:
    """Bar, counts, and a line for each trial."""
    counts = job.status.trials or TrialCounts()
    done = len(table.trials)
    bar = ProgressBar(total=table.most, completed=min(done, table.most), width=40)
    why = f", ended: {job.status.search}" if job.status.search else ""
    told = table.counts(counts.running)
    text = Text(
        f"{done} of {table.most} trials, {told.running} running, {told.succeeded} succeeded, "
        f"{told.pruned} pruned, {told.failed} failed{why}"
    )
    return Group(bar, text, _grid(table))


def _grid(table: Table) -> Grid:
    best = table.best
    metrics = [objective.metric for objective in table.search.objectives]
    names = [parameter.name for parameter in table.search.parameters]
    grid = Grid()
    for column in ("trial", "outcome", *metrics, *names, "seconds", "message"):
        grid.add_column(column, overflow="fold")
    newest = sorted(table.trials.values(), key=lambda trial: -trial.number)[:_MOST]
    if best is not None and best not in newest:
        newest.append(best)
    for trial in reversed(newest):
        style = "bold green" if best is not None and trial.number == best.number else ""
        grid.add_row(*_row(trial, metrics, names), style=style)
    return grid


def _row(trial: Trial, metrics: list[str], names: list[str]) -> list[str]:
    values = [_number(trial.values.get(metric)) for metric in metrics]
    given = [_number(trial.parameters.get(name)) for name in names]
    return [
        str(trial.number),
        trial.outcome,
        *values,
        *given,
        _number(trial.seconds),
        trial.message[:120],
    ]


def _number(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
