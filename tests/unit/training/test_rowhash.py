"""A row's hash is its own: nothing around it, no order, no storage type changes it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pawl.training.rowhash import mix, row_hashes, salted, text_hash, unit_interval

TABLE = pa.table(
    {
        "a": pa.array([1, 2, None, 4], pa.int64()),
        "b": ["x", None, "", "w"],
        "c": [True, False, None, True],
        "d": pa.array([0.5, float("nan"), -0.0, 1e300]),
    }
)
COLUMNS = ("a", "b", "c", "d")


def test_the_hash_is_pinned() -> None:
    """Bundles keep these numbers: a change of the function would make old rows look new."""
    assert text_hash("pawl") == 3_463_466_197_590_487_883
    assert row_hashes(TABLE, COLUMNS).tolist() == [
        13_664_298_616_948_368_557,
        6_030_448_030_626_841_668,
        7_879_693_388_174_643_662,
        14_263_482_341_392_594_927,
    ]


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(TABLE.select(["d", "c", "b", "a"]), id="order of columns"),
        pytest.param(TABLE.append_column("e", pa.array([1, 2, 3, 4])), id="another column"),
        pytest.param(TABLE.set_column(0, "a", TABLE["a"].cast(pa.float64())), id="doubles"),
        pytest.param(
            TABLE.set_column(0, "a", pa.array([1.0, 2.0, float("nan"), 4.0])), id="NaN for null"
        ),
        pytest.param(
            TABLE.set_column(1, "b", TABLE["b"].combine_chunks().dictionary_encode()),
            id="dictionary",
        ),
        pytest.param(pa.concat_tables([TABLE.slice(0, 2), TABLE.slice(2)]), id="chunks"),
        pytest.param(TABLE.set_column(3, "d", pa.array([0.5, None, 0.0, 1e300])), id="minus zero"),
    ],
)
def test_how_a_row_is_stored_does_not_matter(same: pa.Table) -> None:
    assert row_hashes(same, COLUMNS).tolist() == row_hashes(TABLE, COLUMNS).tolist()


def test_every_value_matters() -> None:
    seen = set()
    for a in (1, 2, None):
        for b in ("1", "2", None):
            table = pa.table({"a": pa.array([a], pa.int64()), "b": pa.array([b], pa.string())})
            seen.add(int(row_hashes(table, ("a", "b"))[0]))
    assert len(seen) == 9


def test_equal_values_in_other_columns_are_other_rows() -> None:
    one = row_hashes(pa.table({"a": [1], "b": [2]}), ("a", "b"))
    other = row_hashes(pa.table({"a": [2], "b": [1]}), ("a", "b"))
    assert one.tolist() != other.tolist()


def test_mix_loses_nothing_and_spreads_everything() -> None:
    numbers = np.arange(100_000, dtype=np.uint64)
    mixed = mix(numbers)
    assert len(np.unique(mixed)) == len(numbers)
    where = unit_interval(mixed)
    assert abs(where.mean() - 0.5) < 0.005
    assert np.bincount((where * 10).astype(int)).min() > 9_500


def test_salts_give_independent_hashes() -> None:
    hashes = mix(np.arange(10_000, dtype=np.uint64))
    a, b = (unit_interval(salted(hashes, salt)) for salt in ("churn", "fraud"))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.04
