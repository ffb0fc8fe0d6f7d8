"""Canonical JSON and digests: the same value gives the same bytes, on every machine.

Canonical means: UTF-8, keys sorted, no spaces, shortest round-trip numbers, no NaN or infinity.
A digest is written `sha256:<64 lower-case hex>`.
"""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel

from pawl.errors import IntegrityError

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_CHUNK = 1 << 20


def canonical_json(value: BaseModel | Any) -> bytes:
    """`value` (a record, or plain JSON values) as canonical JSON.

    Raises ValueError for NaN and infinity, which JSON does not have.
    """
    plain = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
    _refuse_non_finite(plain)
    return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)


def _refuse_non_finite(value: Any) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be written in JSON")
    elif isinstance(value, dict):
        for item in value.values():
            _refuse_non_finite(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_non_finite(item)


def digest(data: bytes) -> str:
    """The digest of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """The digest of a file's content, read in pieces."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha.update(chunk)
    return "sha256:" + sha.hexdigest()


def hex_of(value: str) -> str:
    """The hex part of a digest; IntegrityError when `value` is not one."""
    if not _DIGEST.fullmatch(value):
        raise IntegrityError(f'"{value[:80]}" is not a digest (sha256:<64 hex digits>)')
    return value.removeprefix("sha256:")
