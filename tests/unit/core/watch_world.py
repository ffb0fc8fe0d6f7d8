"""A model with one numeric feature and its prediction, and traffic for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pawl.api.deployment import ServedVersion
from pawl.api.drift_status import DriftStatus
from pawl.core.conditions import parse_timestamp
from pawl.core.watch import DriftObserved
from pawl.stats.drift.layout import Feature, Layout
from pawl.stats.drift.window import counted

EVEN = [1000.0] * 10
LAYOUT = Layout.of(
    [
        Feature("age", "numeric", [*EVEN, 0.0, 0.0]),
        Feature("plan", "category", [5000.0, 5000.0, 0.0, 0.0]),
        Feature("prediction", "numeric", [*EVEN, 0.0, 0.0]),
    ]
)
START = 1_800_000_000
SHIFTED = [0, 0, 0, 0, 10, 10, 20, 20, 20, 20]


def traffic(
    age: list[int] | None = None, *, minutes: int = 60, scale: int = 1, missing: int = 0
) -> np.ndarray:  # type: ignore[type-arg]
    """[minutes, cells]: 100 rows a minute, `age` by bin."""
    age = age or [10] * 10
    one = [*age, missing, 0, 50, 50, 0, 0, *([10] * 10), 0, 0]
    return np.array([one] * minutes, dtype=np.uint32) * scale


def served(number: int) -> ServedVersion:
    digest = "sha256:" + f"{number:x}" * 64
    return ServedVersion(name=f"m-v{number}", version=number, uri="file:///x", digest=digest)


def observed(
    cells: np.ndarray,  # type: ignore[type-arg]
    status: DriftStatus | None = None,
    *,
    start: int = START,
    seconds: int | None = None,
    **more: Any,
) -> DriftObserved:
    """What pods counted from `start` on (or since the running window began)."""
    if status is not None:
        start = int(parse_timestamp(status.window_start).timestamp())
    to = start + (60 * len(cells) if seconds is None else seconds)
    return DriftObserved("m-v1", start, to, LAYOUT, counted(LAYOUT, cells), **more)
