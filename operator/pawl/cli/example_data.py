"""The data set of the example: it ships with scikit-learn and is written out as parquet."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any


def write_breast_cancer(
    path: Path, *, shuffled: bool = False, least: float = 0.0
) -> list[dict[str, Any]]:
    """Writes 569 rows (Wolberg et al. 1995, UCI) and gives them back, one dict a row; `shuffled`
    gives each row the diagnosis of another one, as a join by the wrong key would. `least`: only
    those with a mean radius of so much or more."""
    import pyarrow as pa  # noqa: PLC0415 - only the demo needs them
    import pyarrow.parquet as pq  # noqa: PLC0415
    from sklearn.datasets import load_breast_cancer  # noqa: PLC0415

    bunch = load_breast_cancer()
    columns: dict[str, Any] = {"patient_id": [f"p{i:04d}" for i in range(len(bunch.target))]}
    columns |= {name: bunch.data[:, i] for i, name in enumerate(map(str, bunch.feature_names))}
    columns["diagnosis"] = [str(bunch.target_names[label]) for label in bunch.target]
    if shuffled:
        random.Random(7).shuffle(columns["diagnosis"])  # noqa: S311
    table = pa.table(columns)
    table = table.filter([radius >= least for radius in columns["mean radius"]])
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return table.to_pylist()  # type: ignore[no-any-return]


if __name__ == "__main__":
    import sys

    where, least = Path(sys.argv[1]), float((*sys.argv[2:], "0")[0])
    write_breast_cancer(where, least=least)
    write_breast_cancer(where.with_name("shuffled.parquet"), shuffled=True)
