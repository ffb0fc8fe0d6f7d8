"""Canonical JSON: one value, one sequence of bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.artifacts.canonical import canonical_json, digest, file_digest, hex_of
from pawl.artifacts.records import File, Manifest
from pawl.errors import IntegrityError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)


@given(JSON)
def test_reading_and_writing_again_changes_nothing(value: Any) -> None:
    once = canonical_json(value)
    assert canonical_json(orjson.loads(once)) == once


def test_the_order_of_keys_does_not_matter() -> None:
    assert canonical_json({"b": 1, "a": [1.5, None]}) == b'{"a":[1.5,null],"b":1}'


def test_records_are_written_in_camel_case() -> None:
    record = Manifest(files=(File(name="a.md", size_bytes=1, sha256="0"),))
    expected = b'{"files":[{"name":"a.md","sha256":"0","sizeBytes":1}],"formatVersion":1}'
    assert canonical_json(record) == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}])
def test_what_json_does_not_have_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        canonical_json(value)


def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(b"x" * 3_000_000)
    assert file_digest(path) == digest(path.read_bytes())
    assert hex_of(file_digest(path)) == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("text", ["", "sha256:12", "md5:" + "0" * 64, "sha256:" + "G" * 64])
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(IntegrityError):
        hex_of(text)
