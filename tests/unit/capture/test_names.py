"""Paths of captured files, keyed hashes."""

from __future__ import annotations

import hashlib
import hmac
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.capture import names as n
from pawl.capture.keyed import keyed_hash


@given(st.floats(0, 4e9), st.sampled_from(["predictions", "feedback"]), st.integers(1, 999))
def test_what_is_named_is_known_again(first: float, kind: Any, version: int) -> None:
    path = n.path_of(kind, str(version), first, "pod-1-2")
    found = n.date_of(path)
    assert found is not None
    assert abs((found - date(1970, 1, 1)).days * 86_400 - first) < 86_400


@pytest.mark.parametrize(
    "path",
    [
        "predictions/version=7/date=2026-11-26/notes.txt",
        "predictions/date=2026-11-26/a.parquet",
        "feedback/date=2026-13-26/a.parquet",
        "feedback/date=2026-11-26/deeper/a.parquet",
        "other/feedback/date=2026-11-26/a.parquet",
        "a.parquet",
    ],
)
def test_other_files_are_not_ours(path: str) -> None:
    assert n.date_of(path) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [("a@x", "a@x"), (7, "7"), (7.0, "7"), (7.5, "7.5"), (True, "true"), (-0.0, "0")],
)
def test_a_hash_is_half_an_hmac_of_the_text(value: Any, text: str) -> None:
    whole = hmac.new(b"k" * 32, text.encode(), hashlib.sha256).hexdigest()
    assert keyed_hash(b"k" * 32, value) == whole[:32]
