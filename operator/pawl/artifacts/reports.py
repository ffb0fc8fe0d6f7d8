"""What `train` tells on stdout: JSON lines with the key `pawl` (docs/file-contract.md).

    {"pawl": "report", "step": 1, "value": 0.87}    an intermediate value of a trial
    {"pawl": "progress", "percent": 40}             how far the fit is

Other lines are nobody's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

#: (step, value) in order.
Reports = tuple[tuple[int, float], ...]
#: A trial reports at most so many intermediate values.
MOST_REPORTS = 1000


class _Report(BaseModel):
    pawl: Literal["report"]
    step: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
    value: Annotated[float, Field(allow_inf_nan=False)]


class _Progress(BaseModel):
    pawl: Literal["progress"]
    percent: Annotated[float, Field(ge=0, le=100)]


_Line = TypeVar("_Line", _Report, _Progress)


def parse_reports(log: str) -> Reports:
    """Intermediate values with growing whole steps, up to `MOST_REPORTS`."""
    found: list[tuple[int, float]] = []
    for report in _lines(log, _Report):
        if not found or report.step > found[-1][0]:
            found.append((report.step, report.value))
        if len(found) == MOST_REPORTS:
            break
    return tuple(found)


def parse_progress(log: str) -> float | None:
    """Per cent of the fit, 0 … 100, as the last line says that tells; None when none does."""
    told = [line.percent for line in _lines(log, _Progress)]
    return told[-1] if told else None


def _lines(log: str, kind: type[_Line]) -> Iterator[_Line]:
    for line in log.splitlines():
        if '"pawl"' not in line:
            continue
        try:
            yield kind.model_validate_json(line)
        except ValidationError:
            continue
