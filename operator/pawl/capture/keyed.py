"""Keyed hashes of values that must not be stored as they are.

    hash = hex(HMAC-SHA256(key, text of the value)[:16])

Whoever has the key can find the rows of a value; nobody else can try all values, as with a plain
hash. Two values collide with a chance of 2⁻¹²⁸.
"""

from __future__ import annotations

import hmac
from typing import Any


def keyed_hash(key: bytes, value: Any) -> str:
    """32 hex digits."""
    return hmac.digest(key, text_of(value).encode(), "sha256")[:16].hex()


def text_of(value: Any) -> str:
    """A value as text; equal for what JSON may write differently (1 and 1.0)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
