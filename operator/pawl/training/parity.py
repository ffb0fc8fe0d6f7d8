"""Does the ONNX graph answer like the pipeline it was made from?

Asked on up to 100,000 rows of all parts, and on rows made from them with missing values, unseen
categories and numbers far outside their range. Yes means: every probability within 1e-5 and no
label flipped; for numbers a relative difference within 1e-5, relative to the larger of the answer
and the mean size of all answers (near zero a relative error says nothing).

A label counts as flipped unless the pipeline itself is undecided, that is within 2e-6 (what sums
of float32 probabilities resolve) of the threshold or of the runner-up: forests often vote 50 : 50.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pawl.artifacts.records import Task
from pawl.stats.metrics import Floats
from pawl.training.engines import Engine, answers
from pawl.training.features import Matrix

MOST_ROWS = 100_000
MOST_ALTERED = 5_000
LIMIT = 1e-5
UNDECIDED = 2e-6
UNSEEN = "\N{REPLACEMENT CHARACTER}pawl-unseen"


@dataclass(frozen=True, slots=True)
class Parity:
    """The largest difference, the flipped labels, and how many rows were compared."""

    difference: float
    flips: int
    rows: int

    @property
    def holds(self) -> bool:
        return self.difference <= LIMIT and self.flips == 0

    def sentence(self, task: Task) -> str:
        """Why it does not hold."""
        what = "relative difference" if task == "regression" else "difference in probability"
        flips = f", {self.flips} labels flipped" if self.flips else ""
        return (
            f"ONNX does not answer like the pipeline (largest {what} {self.difference:.1e}{flips}, "
            f"{self.rows:,} rows)"
        )


def check(
    reference: Engine, onnx: Engine, rows: Matrix, task: Task, threshold: float | None
) -> Parity:
    """Compares the two on `rows`. Numbers that are missing on one side only never agree."""
    expected, found = reference.scores(rows), onnx.scores(rows)
    gap = np.abs(expected - found)
    gap[np.isnan(expected) & np.isnan(found)] = 0.0
    if task == "regression":
        size = np.maximum(np.abs(expected), np.nanmean(np.abs(expected)))
        gap = np.where(gap == 0, 0.0, gap / np.where(size > 0, size, 1.0))
        return Parity(_largest(gap), 0, len(rows))
    flipped = answers(expected, task, threshold).labels != answers(found, task, threshold).labels
    decided = _margin(expected, task, threshold) > UNDECIDED
    return Parity(_largest(gap), int(np.count_nonzero(flipped & decided)), len(rows))


def _largest(gap: Floats) -> float:
    largest = float(np.max(gap, initial=0.0))
    return largest if np.isfinite(largest) else float("inf")


def _margin(scores: Floats, task: Task, threshold: float | None) -> Floats:
    if task == "binary":
        return np.asarray(np.abs(scores[:, 1] - (0.5 if threshold is None else threshold)))
    top = np.partition(scores, -2, axis=1)
    return np.asarray(top[:, -1] - top[:, -2])


def sample(parts: list[Matrix], seed: int) -> Matrix:
    """The rows to compare: of all parts, and altered ones."""
    generator = np.random.default_rng(seed)
    together = stack(parts)
    if len(together) > MOST_ROWS:
        chosen = np.sort(generator.choice(len(together), MOST_ROWS, replace=False))
        together = together.take(chosen)
    return stack([together, altered(together, generator)])


def altered(rows: Matrix, generator: np.random.Generator) -> Matrix:
    """Copies of some rows: a fifth of their values missing, unseen or far out of range."""
    count = min(len(rows), MOST_ALTERED)
    some = rows.take(generator.choice(len(rows), count, replace=False))
    numeric, texts = some.numeric.copy(), some.categorical.copy()
    how = generator.integers(0, 3, count)
    _alter_numbers(numeric, how, generator)
    hit = generator.random(texts.shape) < 0.2
    texts[hit & (how == 0)[:, None]] = ""
    texts[hit & (how == 1)[:, None]] = UNSEEN
    numeric[:1], texts[:1] = np.nan, ""  # one row with nothing in it
    return Matrix(numeric, texts, some.numeric_names, some.categorical_names)


def _alter_numbers(numeric: Floats, how: NDArray[np.int64], generator: np.random.Generator) -> None:
    hit = generator.random(numeric.shape) < 0.2
    numeric[hit & (how == 0)[:, None]] = np.nan
    far = generator.choice([-10.0, 0.0, 10.0], numeric.shape)
    reach = np.nanmax(np.abs(numeric), axis=0, initial=1.0, where=~np.isnan(numeric))
    beyond = hit & (how == 2)[:, None]
    numeric[beyond] = (far * reach)[beyond]


def stack(parts: list[Matrix]) -> Matrix:
    """The rows of several matrices with the same columns."""
    return Matrix(
        np.vstack([part.numeric for part in parts]),
        np.vstack([part.categorical for part in parts]),
        parts[0].numeric_names,
        parts[0].categorical_names,
    )
