"""All rows of a value are gone, and no others."""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq
import pytest

from pawl.artifacts.store import Store
from pawl.capture.erase import Erased, erase
from pawl.capture.keyed import keyed_hash
from pawl.errors import StoreError, UserError

OLD, NEW = b"o" * 32, b"n" * 32


def test_rows_of_a_value_are_erased_with_what_was_told_of_them(lake: Any) -> None:
    first = lake.predictions(("1", 30, "a@x"), ("2", 31, "b@x"))
    other = lake.predictions(("3", 32, "b@x"), ("4", 33, "c@x"))
    whole = lake.predictions(("5", 34, "b@x"))
    untouched = lake.predictions(("6", 35, "c@x"))
    lake.feedback(("1", "yes"), ("2", "no"), ("5", "no"))
    assert erase(lake.store, "email", "b@x") == Erased(predictions=3, feedback=2, files=4)
    assert lake.ids("predictions") == ["1", "4", "6"]
    assert lake.ids("feedback") == ["1"]
    left = lake.store.list("predictions")
    assert untouched in left
    assert not {first, other, whole} & {*left}
    assert len(left) == 3


def test_what_is_left_of_a_file_keeps_its_columns_and_what_is_said_of_it(lake: Any) -> None:
    path = lake.predictions(("1", 30, "a@x"), ("2", 31, "b@x"), hashed=True)
    before = pq.read_schema(lake.folder / path)
    erase(lake.store, "pawl_id", "2")
    (left,) = lake.store.list("predictions")
    after = pq.read_schema(lake.folder / left)
    assert after.equals(before, check_metadata=True)
    assert left.startswith(path.removesuffix(".parquet") + "~")


def test_a_second_erasure_names_the_file_anew(lake: Any) -> None:
    path = lake.predictions(*[(str(i), i, f"{i}@x") for i in range(4)])
    for i in range(3):
        erase(lake.store, "email", f"{i}@x")
    (left,) = lake.store.list("predictions")
    assert left.count("~") == 1
    assert left.startswith(path.removesuffix(".parquet"))
    assert lake.ids("predictions") == ["3"]


def test_hashed_columns_are_found_by_any_of_the_keys(lake: Any) -> None:
    lake.predictions(
        ("1", 30, keyed_hash(OLD, "a@x")),
        ("2", 31, keyed_hash(NEW, "a@x")),
        ("3", 32, keyed_hash(NEW, "b@x")),
        hashed=True,
    )
    assert erase(lake.store, "email", "a@x", (NEW, OLD)).predictions == 2
    assert lake.ids("predictions") == ["3"]


def test_without_the_key_of_a_hashed_column_nothing_is_erased(lake: Any) -> None:
    lake.predictions(("1", 30, "a@x"))
    lake.predictions(("2", 30, keyed_hash(OLD, "a@x")), hashed=True)
    with pytest.raises(UserError, match="key is needed"):
        erase(lake.store, "email", "a@x")
    assert lake.ids("predictions") == ["1", "2"]


def test_an_unknown_column_is_told(lake: Any) -> None:
    lake.predictions(("1", 30, "a@x"))
    with pytest.raises(UserError, match="no captured file has a column mail"):
        erase(lake.store, "mail", "a@x")


def test_numbers_are_found_by_their_text(lake: Any) -> None:
    lake.predictions(("1", 30, "a"), ("2", 30.5, "b"), ("3", 31, "c"))
    assert erase(lake.store, "age", "30").predictions == 1
    assert erase(lake.store, "age", "30.5").predictions == 1
    assert lake.ids("predictions") == ["3"]


def test_truth_is_erased_by_its_id_when_the_prediction_has_expired(lake: Any) -> None:
    lake.predictions(("2", 30, "a"))
    lake.feedback(("1", "yes"), ("2", "yes"))
    assert erase(lake.store, "pawl_id", "1").feedback == 1
    assert lake.ids("feedback") == ["2"]


@pytest.mark.parametrize("when", range(1, 5))
def test_a_run_that_dies_anywhere_can_be_repeated(
    when: int, lake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.predictions(("1", 30, "a"), ("2", 31, "b"))
    lake.feedback(("1", "yes"), ("2", "no"))
    calls = 0

    def dying(name: str) -> Any:
        real = getattr(Store, name)

        def call(store: Store, *arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == when:
                raise StoreError("died")
            return real(store, *arguments)

        return call

    with monkeypatch.context() as patch:
        for name in ("put_file", "delete"):
            patch.setattr(Store, name, dying(name))
        with pytest.raises(StoreError):
            erase(lake.store, "email", "a")
    assert {*lake.ids("predictions")} == {"1", "2"}
    erase(lake.store, "email", "a")
    assert {*lake.ids("predictions")} == {*lake.ids("feedback")} == {"2"}
