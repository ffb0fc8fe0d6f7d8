"""64-bit hashes of rows: stable over versions, machines, file formats and column order.

A value's hash depends on its text (strings) or its number (1 and 1.0 are the same) and on nothing
around it. A row's hash is the mixed sum over its columns of mix(hash(name) ⊕ hash(value)), so the
order of the columns does not matter. `mix` is the finaliser of splitmix64 (Steele et al. 2014).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
_MISSING = 0x9E3779B97F4A7C15


def text_hash(text: str) -> int:
    """BLAKE2b of the UTF-8 text, as 64 bits."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def mix(hashes: Hashes) -> Hashes:
    """Spreads every bit of the input over all bits of the output (a bijection)."""
    z = hashes.copy()
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


def row_hashes(table: pa.Table, columns: Iterable[str]) -> Hashes:
    """One hash per row of `table`, over `columns`."""
    total = np.zeros(table.num_rows, dtype=np.uint64)
    for name in columns:
        total += mix(np.uint64(text_hash(name)) ^ _value_hashes(table.column(name)))
    return mix(total)


def salted(hashes: Hashes, salt: str) -> Hashes:
    """Other hashes of the same rows, independent of those with another salt."""
    return mix(hashes ^ np.uint64(text_hash(salt)))


def unit_interval(hashes: Hashes) -> NDArray[np.float64]:
    """Hashes as numbers in [0, 1)."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _value_hashes(column: Any) -> Hashes:
    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), _MISSING, dtype=np.uint64)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _number_hashes(column)
    if not pa.types.is_string(kind):
        column = pc.cast(column, pa.string())
    encoded = pc.dictionary_encode(column)
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # pyarrow < 21 keeps chunks here
        encoded = encoded.unify_dictionaries().chunk(0)
    # An empty string is missing, in csv there is no difference.
    table = [text_hash(value) if value else _MISSING for value in encoded.dictionary.to_pylist()]
    lookup = np.array([*table, _MISSING], dtype=np.uint64)
    indices = pc.fill_null(encoded.indices, len(table)).to_numpy(zero_copy_only=False)
    return np.asarray(lookup[indices], dtype=np.uint64)


def _number_hashes(column: Any) -> Hashes:
    """By the bits of the double; −0 is 0, NaN and null are missing."""
    values = pc.cast(column, pa.float64(), safe=False).to_numpy().astype(np.float64)
    values = values + 0.0  # −0.0 + 0.0 is 0.0
    hashes = mix(values.view(np.uint64) ^ np.uint64(0x5851F42D4C957F2D))
    hashes[np.isnan(values)] = _MISSING
    return hashes
