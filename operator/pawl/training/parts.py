"""The parts as files: `prepare` writes them, `train` and `publish` read them.

Train and validation rows are as the file contract promises them. Test rows and those of the old
window keep all columns of the source, beside the encoded target.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pawl.errors import DataError
from pawl.training.features import Matrix, as_numbers, matrix
from pawl.training.split import OLD, PARTS, TEST
from pawl.training.split import Parts as Assigned
from pawl.training.workspace import ENCODED_TARGET, Feature, Schema, Workspace


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Rows that no trainer was given: features, truth (class index or number), all columns."""

    features: Matrix
    truth: NDArray[Any]
    table: pa.Table


@dataclass(frozen=True, slots=True)
class Parts:
    """Features and truth (class index or number) per part. Only a retrain has an old window."""

    train: Matrix
    train_truth: NDArray[Any]
    train_weights: NDArray[Any] | None
    validation: Matrix
    validation_truth: NDArray[Any]
    validation_weights: NDArray[Any] | None
    test: HeldOut
    old: HeldOut | None


def load_parts(work: Workspace, schema: Schema) -> Parts:
    """Reads all parts."""
    train, validation = (pq.read_table(work.part(name)) for name in ("train", "validation"))
    old = work.part("old")
    return Parts(
        train=_features(train, schema),
        train_truth=train.column(schema.target).to_numpy(),
        train_weights=_weights(train, schema),
        validation=_features(validation, schema),
        validation_truth=validation.column(schema.target).to_numpy(),
        validation_weights=_weights(validation, schema),
        test=_held_out(work.part("test"), schema),
        old=_held_out(old, schema) if old.exists() else None,
    )


def _features(table: pa.Table, schema: Schema) -> Matrix:
    return matrix(table, schema.numeric, schema.categorical)


def _weights(table: pa.Table, schema: Schema) -> NDArray[Any] | None:
    return table.column(schema.weight).to_numpy() if schema.weight else None


def _held_out(path: Path, schema: Schema) -> HeldOut:
    table = pq.read_table(path)
    return HeldOut(_features(table, schema), table.column(ENCODED_TARGET).to_numpy(), table)


def write_parts(
    table: pa.Table, target: NDArray[Any], parts: Assigned, schema: Schema, work: Workspace
) -> None:
    """Writes `table`, whose encoded target is `target`. DataError for unusable weights."""
    contract = _contract_table(table, target, schema)
    whole = _plain_columns(table).append_column(ENCODED_TARGET, pa.array(target))
    for index, name in enumerate(PARTS):
        inside = parts == index
        if inside.any():
            rows = (whole if index in (TEST, OLD) else contract).filter(pa.array(inside))
            pq.write_table(rows, work.part(name), compression="zstd", compression_level=1)


def _plain_columns(table: pa.Table) -> pa.Table:
    """Without nested columns, which no model takes and which need not be kept."""
    return table.select(
        [field.name for field in table.schema if not pa.types.is_nested(field.type)]
    )


def _contract_table(table: pa.Table, target: NDArray[Any], schema: Schema) -> pa.Table:
    """Features as the file contract promises them, the encoded target and the weight."""
    columns: dict[str, Any] = {}
    for feature in schema.features:
        columns[feature.name] = _contract_column(table.column(feature.name), feature)
    columns[schema.target] = pa.array(target)
    if schema.weight is not None:
        weights = as_numbers(table.column(schema.weight), schema.weight)
        wrong = np.flatnonzero(~(weights >= 0))
        if len(wrong):
            raise DataError(
                f'column "{schema.weight}" (data.weightColumn): {len(wrong):,} weights are '
                f"missing or negative, the first in row {wrong[0] + 1}"
            )
        columns[schema.weight] = pa.array(weights)
    return pa.table(columns)


def _contract_column(column: Any, feature: Feature) -> Any:
    if feature.kind == "categorical":
        return column
    values = as_numbers(column, feature.name)
    return pa.array(values, mask=np.isnan(values))
