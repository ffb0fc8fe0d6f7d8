"""What trials of a search leave in the store: `runs/<uid>-<run>/trials/`, each put if absent.

    <n>.scored.json   Scored: written by the trial's own pod, from validation rows only
    <n>.json          Trial: written by the operator when the trial is over, however it ended

`runs/<uid>-<run>/trials.jsonl` holds all of them, one a line, when the search is over. The study of
a sampler is rebuilt from the `Trial` records alone, so they say what it was told and when.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from pawl.artifacts.records import Record

#: (step, value) in order.
Reports = tuple[tuple[int, float], ...]
Outcome = Literal["Succeeded", "Pruned", "Failed"]
#: A trial reports at most so many intermediate values.
MOST_REPORTS = 1000


class Scored(Record):
    """The objectives of a trial, on the validation rows. `seconds` is the time of the fit, where it
    is known."""

    number: int
    parameters: dict[str, Any]
    values: dict[str, float]
    data_digest: str
    seconds: float | None = None


class Trial(Record):
    """A trial that is over."""

    number: int
    parameters: dict[str, Any]
    outcome: Outcome
    values: dict[str, float] = Field(default_factory=dict)
    reports: Reports = ()
    beside: tuple[int, ...] = ()
    data_digest: str | None = None
    seconds: float | None = None
    message: str = ""


def parse_reports(log: str) -> Reports:
    """What a log of `train` reports: lines `{"pawl": "report", "step": 1, "value": 0.87}` with
    growing whole steps. Other lines are nobody's business, and so is what comes after the first
    `MOST_REPORTS`."""
    found: list[tuple[int, float]] = []
    for line in log.splitlines():
        if '"pawl"' not in line or len(found) == MOST_REPORTS:
            continue
        with suppress(ValidationError):
            report = _Report.model_validate_json(line)
            if not found or report.step > found[-1][0]:
                found.append((report.step, report.value))
    return tuple(found)


class _Report(BaseModel):
    pawl: Literal["report"]
    step: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
    value: Annotated[float, Field(allow_inf_nan=False)]


def folder(uid: str, run: int) -> str:
    """Where the trials of a search lie that began with a run."""
    return f"runs/{uid}-{run}/trials"


def scored_path(uid: str, run: int, number: int) -> str:
    """Of `Scored`."""
    return f"{folder(uid, run)}/{number}.scored.json"


def trial_path(uid: str, run: int, number: int) -> str:
    """Of `Trial`."""
    return f"{folder(uid, run)}/{number}.json"


def table_path(uid: str, run: int) -> str:
    """Of all trials, one a line."""
    return f"runs/{uid}-{run}/trials.jsonl"
