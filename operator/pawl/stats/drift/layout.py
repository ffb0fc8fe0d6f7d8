"""Which cells of the flat vector of counts belong to which feature, and the reference's counts.

Cells of a feature stand in the order of the server's layout page: for a number its bins, then
`missing` and `outOfRange`; for a category the categories, `other` and `missing`. Those before
`missing` are *bins*: every value that is there falls into exactly one. A value out of range also
falls into the first or last bin, so `outOfRange` is not one of them. The last feature is the
prediction; a feature of that name is `called` otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pawl.stats.metrics import Floats, Ints

Kind = Literal["numeric", "category"]
#: The name of the last feature.
PREDICTION = "prediction"


def called(name: str) -> str:
    """A feature's name beside the prediction: its own; in quotes if that is `prediction`, with
    quotes or without. No two are called alike."""
    return f'"{name}"' if name.strip('"') == PREDICTION else name


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature as the reference saw it: counts per cell (without `outOfRange`: 0), and for a
    number the counts and sums of its fine bins, where they are known."""

    name: str
    kind: Kind
    reference: Sequence[float]
    fine_reference: Sequence[float] = ()
    fine_sums: Sequence[float] = ()

    @property
    def bins(self) -> int:
        """How many cells are bins."""
        return len(self.reference) - (2 if self.kind == "numeric" else 1)


@dataclass(frozen=True, slots=True)
class Ragged:
    """Rows of different length, side by side in one vector."""

    of: Ints  # the row of each element
    start: Ints  # where each row begins
    rows: int

    @classmethod
    def sized(cls, lengths: Sequence[int]) -> Ragged:
        """Rows of these lengths."""
        sizes = np.asarray(lengths, dtype=np.int64)
        of = np.repeat(np.arange(len(sizes)), sizes)
        return cls(of, np.cumsum(sizes) - sizes, len(sizes))

    def sum(self, values: NDArray[Any]) -> Floats:
        """The sum of each row; 0 for one without elements."""
        return np.bincount(self.of, values, self.rows).astype(np.float64)

    def spread(self, per_row: Floats) -> Floats:
        """Each row's number, at every element of the row."""
        return np.asarray(per_row[self.of])

    def running(self, values: Floats) -> Floats:
        """Running sums along the last axis that begin anew in every row."""
        whole = np.cumsum(values, axis=-1)
        before = np.concatenate([np.zeros_like(whole[..., :1]), whole], axis=-1)
        return np.asarray(whole - before[..., self.start[self.of]])


@dataclass(frozen=True, slots=True)
class Layout:
    """Made by `Layout.of`. F features, C cells, B bins (all features together)."""

    features: tuple[Feature, ...]
    reference: Floats  # [C]
    cells: Ragged  # [C]
    bins: Ragged  # [B]
    bin_cells: Ints  # [B] the cell of each bin
    missing: Ints  # [F] the cell of `missing`
    extra: Ints  # [F] the cell of `outOfRange` (number) or `other` (category)
    present: NDArray[np.bool_]  # [C] whether a cell's share is of present values, not of all rows
    fine: Ragged  # over the F features; those without fine bins have none
    fine_reference: Floats
    fine_sums: Floats
    digest: str

    @classmethod
    def of(cls, features: Iterable[Feature]) -> Layout:
        """The layout of features in the order of their cells. ValueError when one has no bin, or
        fine counts and sums that do not fit each other."""
        found = tuple(features)
        for feature in found:
            if feature.bins < 1:
                raise ValueError(f"{feature.name!r} has no bin")
            if len(feature.fine_reference) != len(feature.fine_sums):
                raise ValueError(f"{feature.name!r} has not one sum per fine bin")
        cells = Ragged.sized([len(feature.reference) for feature in found])
        bins = Ragged.sized([feature.bins for feature in found])
        missing = cells.start + np.array([feature.bins for feature in found], dtype=np.int64)
        numeric = np.array([feature.kind == "numeric" for feature in found], dtype=bool)
        present = np.ones(len(cells.of), dtype=bool)
        present[missing] = False
        return cls(
            # an operator holds thousands of layouts: fine bins are in the vectors, and only there
            features=tuple(replace(feature, fine_reference=(), fine_sums=()) for feature in found),
            reference=_joined(feature.reference for feature in found),
            cells=cells,
            bins=bins,
            bin_cells=np.arange(len(bins.of)) + (cells.start - bins.start)[bins.of],
            missing=missing,
            extra=missing + np.where(numeric, 1, -1),
            present=present,
            fine=Ragged.sized([len(feature.fine_reference) for feature in found]),
            fine_reference=_joined(feature.fine_reference for feature in found),
            fine_sums=_joined(feature.fine_sums for feature in found),
            digest=_digest(found),
        )


def _joined(parts: Iterable[Sequence[float]]) -> Floats:
    return np.concatenate([np.empty(0), *(np.asarray(part, dtype=np.float64) for part in parts)])


def _digest(features: tuple[Feature, ...]) -> str:
    """12 hex digits that tell layouts apart: names, kinds, and numbers of cells and fine bins."""
    text = "\n".join(
        f"{f.name!r} {f.kind} {len(f.reference)} {len(f.fine_reference)}" for f in features
    )
    return hashlib.sha256(text.encode()).hexdigest()[:12]
