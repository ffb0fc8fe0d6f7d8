"""The example's rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from pawl.cli.example_data import write_breast_cancer


def test_only_rows_with_a_large_radius_are_real_rows_too(tmp_path: Path) -> None:
    every = write_breast_cancer(tmp_path / "a.parquet")
    some = write_breast_cancer(tmp_path / "b.parquet", least=12.0)
    assert len(every) == 569
    assert some == [row for row in every if row["mean radius"] >= 12.0]
    assert pq.read_table(tmp_path / "b.parquet").to_pylist() == some


def test_shuffled_rows_differ_in_nothing_but_the_diagnosis(tmp_path: Path) -> None:
    every = write_breast_cancer(tmp_path / "a.parquet")
    shuffled = write_breast_cancer(tmp_path / "b.parquet", shuffled=True)
    differ = {
        name for a, b in zip(every, shuffled, strict=True) for name in a if a[name] != b[name]
    }
    assert differ == {"diagnosis"}
