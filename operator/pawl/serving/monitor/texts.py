"""Categories -> cells, many at a time and never one by one.

The texts of a batch are joined, each in quotes, and kept as UTF-8. They are counted by words of
eight bytes: key = sum over the words of a text of word_k · M^k mod 2^64, so that a text of up to
eight bytes is its own key. Key and column together are looked up in one table of hashes, an eighth
full at most and probed place by place. A text that is longer than all categories is none of them.
Two longer than eight bytes of the same key would be taken for one: chance 2^-64 a pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Keys = NDArray[np.uint64]

#: Bytes of two words.
_READ: Final = 16
_QUOTE: Final = ord('"')
_ESCAPE: Final = b"\\"
#: JSON has both in a text, but no surrogate alone.
_APART: Final = {ord('"'): "\udc22", 0: "\udc00"}
#: Texts that are counted at once, to bound the memory; fewer cost more each.
_AT_ONCE: Final = 16384
#: The first so many bytes of two words.
_MASKS: Final = np.array(
    [[(1 << 8 * min(size, 8)) - 1, (1 << 8 * max(size - 8, 0)) - 1] for size in range(_READ + 1)],
    dtype=np.uint64,
)
# Odd, and of no pattern.
_FOLD: Final = np.array([0x9E3779B97F4A7C15], dtype=np.uint64)  # wraps around unwarned
_SALT: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_SPREAD: Final = np.uint64(0xD6E8FEB86659FD93)
#: The key of a place that is empty.
_EMPTY: Final = np.uint64(0xA0761D6478BD642F)


class Texts(NamedTuple):
    """Texts in `raw`, which goes on for two words: where they begin, and their sizes in bytes."""

    raw: bytes
    starts: Ints
    sizes: Ints


def join(texts: Sequence[str]) -> bytes:
    """UTF-8, with a quote before and behind each text and nowhere else, and no NUL."""
    try:
        joined = orjson.dumps(texts)
    except TypeError:  # a surrogate alone
        joined = _ESCAPE
    if _ESCAPE in joined:
        inner = '","'.join(text.translate(_APART) for text in texts)
        joined = f'"{inner}"'.encode("utf-8", "surrogatepass")
    return joined


def _found(joined: Sequence[bytes]) -> Texts:
    raw = b"".join([*joined, bytes(_READ)])
    (quotes,) = (np.frombuffer(raw, np.uint8) == _QUOTE).nonzero()
    starts = quotes[::2] + 1
    return Texts(raw, starts, quotes[1::2] - starts)


class Lookup:
    """Finds cells by column and text."""

    def __init__(self, columns: Sequence[Mapping[str, int]], others: Sequence[int]) -> None:
        """For each column the cells of texts, and that of all others."""
        self.columns = len(columns)
        self._others = np.array(others)
        self._salts = np.arange(len(columns), dtype=np.uint64) * _SALT
        names = [name for places in columns for name in places]
        known = _found([join(names)])
        self._longest = int(known.sizes.max())
        keys = _folded(known, self._longest)
        keys = _spread(keys + np.repeat(self._salts, [len(places) for places in columns]))
        bits = (8 * len(names) - 1).bit_length()
        self._shift = np.uint64(64 - bits)
        self._mask = (1 << bits) - 1
        self._keys = np.full(1 << bits, _EMPTY)
        self._cells = np.full(1 << bits, -1)
        cells = [cell for places in columns for cell in places.values()]
        for key, first, cell in zip(keys, (keys >> self._shift).tolist(), cells, strict=True):
            slot = first
            while self._keys[slot] != _EMPTY:
                slot = slot + 1 & self._mask
            self._keys[slot], self._cells[slot] = key, cell

    def cells(self, joined: Sequence[bytes]) -> Ints:
        """Of joined texts, row by row."""
        texts = _found(joined)
        folded = _folded(texts, self._longest).reshape(-1, self.columns)
        keys = _spread(folded + self._salts).ravel()
        keys[texts.sizes > self._longest] = _EMPTY
        slots = (keys >> self._shift).view(np.int64)
        (open_,) = (self._keys[slots] != keys).nonzero()
        while len(open_):
            found = self._keys[slots[open_]]
            open_ = open_[(found != keys[open_]) & (found != _EMPTY)]
            slots[open_] = slots[open_] + 1 & self._mask
        cells = self._cells[slots]
        (unknown,) = (cells < 0).nonzero()
        cells[unknown] = self._others[unknown % self.columns]
        return cells


def _spread(keys: Keys) -> Keys:
    """One to one; what differs anywhere differs in the first bits."""
    keys ^= keys >> np.uint64(32)
    keys *= _SPREAD
    return keys


def _folded(texts: Texts, longest: int) -> Keys:
    """The keys; of texts that are longer, of their beginnings."""
    raw, starts, sizes = texts
    keys = _begun(raw, starts, sizes)
    power = np.ones(1, dtype=np.uint64)
    for at in range(_READ, longest, _READ):
        (longer,) = (sizes > at).nonzero()
        if not len(longer):
            break
        power *= _FOLD * _FOLD
        keys[longer] += _begun(raw, starts[longer] + at, sizes[longer] - at) * power
    return keys


def _begun(raw: bytes, starts: Ints, sizes: Ints) -> Keys:
    """The keys of the first two words. Both are fetched at once: finding them is what costs."""
    pairs = np.ndarray((len(raw) - _READ + 1,), f"V{_READ}", raw, 0, (1,))
    words = pairs[starts].view("<u8").reshape(-1, 2)
    words &= _MASKS.take(sizes, axis=0, mode="clip")
    keys: Keys = words[:, 1] * _FOLD
    keys += words[:, 0]
    return keys


class Tally:
    """Counts texts by cell."""

    def __init__(self, lookup: Lookup, width: int) -> None:
        """`width`: of all cells."""
        self._lookup, self._width = lookup, width
        self._most = max(1, _AT_ONCE // lookup.columns) * lookup.columns
        self.clear()

    def clear(self) -> None:
        """Forgets what was put."""
        self._joined: list[bytes] = []
        self._waiting = 0
        self._cells = np.zeros(self._width, dtype=np.int64)

    def put(self, texts: Sequence[str]) -> None:
        """Row by row."""
        for start in range(0, len(texts), self._most):
            part = texts[start : start + self._most]
            if self._waiting + len(part) > self._most:
                self._count()
            self._joined.append(join(part))
            self._waiting += len(part)

    def _count(self) -> None:
        cells = self._lookup.cells(self._joined)
        self._cells += np.bincount(cells, minlength=self._width)
        self._joined, self._waiting = [], 0

    def take(self) -> Ints:
        """What was put since, by cell."""
        self._count()
        found = self._cells
        self.clear()
        return found
