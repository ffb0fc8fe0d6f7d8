"""Samples of numbers and their windows, as a server would count them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from pawl.stats.binning import NumericBins, bin_counts, numeric_bins
from pawl.stats.drift import window as windows
from pawl.stats.drift.layout import Feature, Layout
from pawl.stats.drift.window import Window
from pawl.stats.metrics import Floats


@dataclass(frozen=True)
class Numbers:
    """Features of numbers, by their reference samples."""

    bins: Sequence[NumericBins]
    layout: Layout

    @classmethod
    def of(cls, samples: Sequence[Floats]) -> Numbers:
        bins = [numeric_bins(sample) for sample in samples]
        return cls(
            bins,
            Layout.of(
                Feature(
                    f"f{i}",
                    "numeric",
                    [*b.counts, b.missing, 0],
                    b.fine_counts.tolist(),
                    b.fine_sums.tolist(),
                )
                for i, b in enumerate(bins)
            ),
        )

    def cells(self, columns: Sequence[Floats]) -> Floats:
        """Counts [C] of one block."""
        parts = []
        for b, column in zip(self.bins, columns, strict=True):
            there = column[~np.isnan(column)]
            outside = np.count_nonzero((there < b.minimum) | (there > b.maximum))
            parts += [bin_counts(there, b.edges), [len(column) - len(there), outside]]
        return np.concatenate(parts).astype(np.uint32)

    def window(self, columns: Sequence[Floats], blocks: int = 60) -> Window:
        """The rows, spread over blocks in their order, with fine bins."""
        pieces = [np.array_split(column, blocks) for column in columns]
        cells = np.array([self.cells(block) for block in zip(*pieces, strict=True)])
        fine, sums = [], []
        for b, column in zip(self.bins, columns, strict=True):
            there = column[~np.isnan(column)]
            at = np.searchsorted(b.fine_edges, there, side="left")
            fine.append(np.bincount(at, minlength=len(b.fine_edges) + 1))
            sums.append(np.bincount(at, there, minlength=len(b.fine_edges) + 1))
        return windows.counted(
            self.layout,
            cells,
            fine=np.concatenate(fine).astype(np.uint32),
            fine_sums=np.concatenate(sums),
        )


@pytest.fixture(scope="session")
def numbers() -> Callable[[Sequence[Floats]], Numbers]:
    return Numbers.of


@pytest.fixture(scope="session")
def plain() -> Callable[..., tuple[Layout, Window]]:
    """A layout of categories with these reference counts, all alike, and the window of these
    blocks [blocks, bins] in every feature."""

    def made(
        reference: Sequence[float], blocks: np.ndarray, features: int = 1
    ) -> tuple[Layout, Window]:
        layout = Layout.of(Feature(f"f{i}", "category", [*reference, 0]) for i in range(features))
        none = np.zeros((len(blocks), 1), dtype=np.uint32)
        cells = np.hstack([blocks, none] * features).astype(np.uint32)
        return layout, windows.counted(layout, cells)

    return made
