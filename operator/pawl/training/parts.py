"""The parts as `train` and `publish` read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pawl.training.features import Matrix, matrix
from pawl.training.workspace import ENCODED_TARGET, Schema, Workspace


@dataclass(frozen=True, slots=True)
class Parts:
    """Features and truth (class index or number) per part; the test rows with all columns too."""

    train: Matrix
    train_truth: NDArray[Any]
    train_weights: NDArray[Any] | None
    validation: Matrix
    validation_truth: NDArray[Any]
    test: Matrix
    test_truth: NDArray[Any]
    test_table: pa.Table


def load_parts(work: Workspace, schema: Schema) -> Parts:
    """Reads all three parts."""
    train, validation = (pq.read_table(work.part(name)) for name in ("train", "validation"))
    test = pq.read_table(work.part("test"))

    def features(table: pa.Table) -> Matrix:
        return matrix(table, schema.numeric, schema.categorical)

    return Parts(
        train=features(train),
        train_truth=train.column(schema.target).to_numpy(),
        train_weights=train.column(schema.weight).to_numpy() if schema.weight else None,
        validation=features(validation),
        validation_truth=validation.column(schema.target).to_numpy(),
        test=features(test),
        test_truth=test.column(ENCODED_TARGET).to_numpy(),
        test_table=test,
    )
