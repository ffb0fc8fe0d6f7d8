"""What trials of a search leave in the store: `runs/<uid>-<run>/trials/`, each put if absent.

    <n>.scored.json   Scored: written by the trial's own pod, from validation rows only
    <n>.json          Trial: written by the operator when the trial is over, however it ended

`runs/<uid>-<run>/trials.jsonl` holds all of them, one a line, when the search is over. The study of
a sampler is rebuilt from the `Trial` records alone, so they say what it was told and when.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pawl.artifacts.records import Record
from pawl.artifacts.reports import Reports

Outcome = Literal["Succeeded", "Pruned", "Failed"]


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
