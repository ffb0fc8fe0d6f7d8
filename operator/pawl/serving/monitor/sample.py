"""Bottom-k sample of the requests of a second, by a hash of the request id.

All servers hash alike, so the samples of two versions that got the same requests hold the same ones
wherever both kept up: they can be joined. The hash is 64 bits, CRC-32 before 32 bits of BLAKE2b:
the first is cheap enough for every request and decides nearly always who is not in the sample;
the second is only computed for the few that may be. A router's request ids are random. With ids
that clients choose, clients choose who is in the sample.
"""

from __future__ import annotations

from hashlib import blake2b
from zlib import crc32

from pawl.serving.monitor.memory import SAMPLE

#: hash, label, value, latency in seconds, status
Pair = tuple[int, int, float, float, int]
_ALL = 2**32


def hash_of(request_id: bytes) -> int:
    """64 bits; the smallest of a second are its sample."""
    low = blake2b(request_id, digest_size=4).digest()
    return crc32(request_id) << 32 | int.from_bytes(low, "big")


class Sample:
    """What one process keeps of the second that lasts."""

    def __init__(self) -> None:
        self._pairs: list[Pair] = []
        #: Whose CRC is larger is not in the sample.
        self.limit = _ALL

    def add(self, request_id: bytes, label: int, value: float, latency: float, status: int) -> None:
        """A request whose CRC is within the limit."""
        self._pairs.append((hash_of(request_id), label, value, latency, status))
        if len(self._pairs) >= 2 * SAMPLE:
            self._prune()

    def take(self) -> list[Pair]:
        """The sample, ascending; the next second begins."""
        self._prune()
        pairs, self._pairs, self.limit = self._pairs, [], _ALL
        return pairs

    def _prune(self) -> None:
        """A router repeats ids when it tries again: the first answer counts."""
        first: dict[int, Pair] = {}
        for pair in self._pairs:
            first.setdefault(pair[0], pair)
        self._pairs = [first[hash_] for hash_ in sorted(first)[:SAMPLE]]
        if len(self._pairs) == SAMPLE:
            self.limit = self._pairs[-1][0] >> 32
