"""From table columns to what a model is fed: the matrices `numeric` and `categorical`.

Numeric: float64 [n, k], NaN is missing, booleans are 0 and 1. Categorical: str [n, m] (object),
"" is missing. This is what the server does with a request, so training and serving agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pawl.errors import DataError


@dataclass(frozen=True, slots=True)
class Matrix:
    """The features of n rows, with the names of the columns."""

    numeric: NDArray[np.float64]
    categorical: NDArray[Any]
    numeric_names: tuple[str, ...]
    categorical_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.numeric)

    def take(self, rows: NDArray[Any]) -> Matrix:
        """Some of the rows (indices or a mask)."""
        return Matrix(
            self.numeric[rows], self.categorical[rows], self.numeric_names, self.categorical_names
        )

    def below(self, other: Matrix) -> Matrix:
        """With the rows of another one of the same columns below."""
        return Matrix(
            np.concatenate([self.numeric, other.numeric]),
            np.concatenate([self.categorical, other.categorical]),
            self.numeric_names,
            self.categorical_names,
        )

    def feed(self) -> dict[str, NDArray[Any]]:
        """The inputs of the ONNX graph."""
        inputs: dict[str, NDArray[Any]] = {}
        if self.numeric_names:
            inputs["numeric"] = self.numeric
        if self.categorical_names:
            inputs["categorical"] = self.categorical
        return inputs

    def frame(self, order: Sequence[str] = ()) -> Any:
        """A DataFrame for scikit-learn: float64 and object columns, in `order`."""
        import pandas as pd  # noqa: PLC0415 - only where scikit-learn is loaded anyway

        columns = dict(zip(self.numeric_names, self.numeric.T, strict=True))
        columns |= dict(zip(self.categorical_names, self.categorical.T, strict=True))
        names = order or (*self.numeric_names, *self.categorical_names)
        return pd.DataFrame({name: columns[name] for name in names}, copy=False)


def matrix(table: pa.Table, numeric: Sequence[str], categorical: Sequence[str]) -> Matrix:
    """The features of a table. DataError when a column cannot be what it must be."""
    n = table.num_rows
    numbers = np.empty((n, len(numeric)), dtype=np.float64)
    for i, name in enumerate(numeric):
        numbers[:, i] = as_numbers(table.column(name), name)
    texts = np.empty((n, len(categorical)), dtype=object)
    for i, name in enumerate(categorical):
        texts[:, i] = as_texts(table.column(name), name)
    return Matrix(numbers, texts, tuple(numeric), tuple(categorical))


def as_numbers(column: Any, name: str) -> NDArray[np.float64]:
    """Numbers and booleans as float64; missing is NaN, infinite is an error."""
    kind = column.type
    if pa.types.is_boolean(kind):
        column = pc.cast(column, pa.int8())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
        raise DataError(f'column "{name}" holds {kind}, numbers are needed')
    values = np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    if np.isinf(values).any():
        rows = np.flatnonzero(np.isinf(values))
        raise DataError(f'column "{name}": {len(rows):,} values are infinite')
    return values


def as_texts(column: Any, name: str) -> NDArray[Any]:
    """Strings as objects; missing is ""."""
    if not (pa.types.is_string(column.type) or pa.types.is_null(column.type)):
        raise DataError(f'column "{name}" holds {column.type}, texts are needed')
    filled = pc.fill_null(pc.cast(column, pa.string()), "")
    return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=object)
