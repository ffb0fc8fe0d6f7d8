"""The parts as `publish` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pawl.training.features import Matrix, matrix
from pawl.training.prepare import ENCODED_TARGET
from pawl.training.workspace import Schema, Workspace


@dataclass(frozen=True, slots=True)
class Parts:
    """Features and truth (class index or number) per part; the test rows with all columns too."""

    train: Matrix
    train_truth: NDArray[Any]
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
        validation=features(validation),
        validation_truth=validation.column(schema.target).to_numpy(),
        test=features(test),
        test_truth=test.column(ENCODED_TARGET).to_numpy(),
        test_table=test,
    )
