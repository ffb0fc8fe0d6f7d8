"""Feedback tokens: what was predicted, sealed so that clients can neither read nor change it.

    token = base64url(nonce ‖ AES-256-GCM(key, nonce, what, model's name))

The first 16 characters are the nonce: they name the token. Nonces are random; for one key the
chance that any two of n are equal is n²/2⁹⁷, one in ten million after 10¹¹ tokens. Labels are
hashes of their text, because the pod that opens a token may serve a version with other classes.
"""

from __future__ import annotations

import os
import struct
from base64 import b64decode
from binascii import Error as Base64Error
from binascii import b2a_base64
from collections.abc import Sequence
from struct import Struct, pack
from typing import Any, Final, NamedTuple, Protocol
from zlib import crc32

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pawl.constants import HEADER_WEIGHT
from pawl.serving.codec.base import Predictions, Rows
from pawl.serving.errors import TokenError
from pawl.serving.monitor.memory import LABELS, VALUES
from pawl.serving.protocol import MAX_TOKEN_ROWS, InferRequest

#: Characters; the largest token (MAX_TOKEN_ROWS values, the longest names) has fewer.
MAX_TOKEN: Final = 1400
#: The label of a prediction that is not finite.
NO_LABEL: Final = b"\0\0\0\0"

_FORMAT: Final = 1
_NONCE: Final = 12
_URLSAFE: Final = bytes.maketrans(b"+/", b"-_")
_BEGIN: Final = Struct("<BBI")  # format, kind, fingerprint of the classes; then the version
_MIDDLE: Final = Struct("<IB")  # epoch second, percent
_END: Final = Struct("<HB")  # bytes of the group's name, rows; then the rows, then the group
_ONE_ROW: Final = _END.pack(0, 1)
_WEIGHT: Final = HEADER_WEIGHT.encode()
_MAX_WEIGHTS: Final = 128


class Opened(NamedTuple):
    """What a token says. `id`: 64 bits that no other token has. `made`: epoch second. `rows`: a
    label's hash (4 bytes), or a value. `weight`: the percent of requests that the version got."""

    id: int
    version: str
    made: int
    kind: int
    classes: int
    rows: tuple[bytes, ...] | tuple[float, ...]
    weight: int
    group: str | None


class Asked(Protocol):
    """An infer request as it came, and as it was read."""

    headers: dict[bytes, bytes]


class Answering(Protocol):
    """Where an answer goes."""

    @property
    def request(self) -> Asked:
        """What is answered."""


class Job(Protocol):
    """A request that was scored."""

    rows: Rows
    request: InferRequest

    @property
    def reply(self) -> Answering:
        """Where the answer goes."""


class Sealer:
    """Makes the tokens of one version."""

    def __init__(
        self, keys: Sequence[bytes], model: str, version: str, kind: int, classes: Sequence[Any]
    ) -> None:
        """The first key seals."""
        self._encrypt = AESGCM(keys[0]).encrypt
        self._model = model.encode()
        self._labels = {value: label_hash(value) for value in classes}
        self._labels[None] = NO_LABEL
        name = version.encode()
        self._prefix = (
            _BEGIN.pack(_FORMAT, kind, fingerprint(classes)) + pack("B", len(name)) + name
        )
        self._second = -1
        self._heads: dict[bytes | None, bytes] = {}

    def seal(self, jobs: Sequence[Job], said: Predictions, now: float) -> list[bytes | None]:
        """The tokens of a batch made at `now` (epoch seconds), None for requests of too many rows.
        All at once: the cipher is much slower when other work comes in between."""
        if int(now) != self._second:
            self._second = int(now)
            self._heads.clear()
        random, at = os.urandom(len(jobs) * _NONCE), 0
        encrypt, model, heads = self._encrypt, self._model, self._heads
        tokens: list[bytes | None] = []
        start = 0
        for job in jobs:
            count = job.rows.size
            weight = job.reply.request.headers.get(_WEIGHT)
            head = heads.get(weight) or self._head(weight)
            if count == 1 and job.request.group is None:
                plain = head + _ONE_ROW + self._row(said, start)
            elif count <= MAX_TOKEN_ROWS:
                name = (job.request.group or "").encode()
                rows = b"".join([self._row(said, row) for row in range(start, start + count)])
                plain = head + _END.pack(len(name), count) + rows + name
            else:
                plain = b""
            start += count
            if plain:
                nonce = random[at : at + _NONCE]
                at += _NONCE
                raw = nonce + encrypt(nonce, plain, model)
                tokens.append(b2a_base64(raw, newline=False).translate(_URLSAFE))
            else:
                tokens.append(None)
        return tokens

    def _row(self, said: Predictions, row: int) -> bytes:
        if said.labels is not None:
            label = said.labels[row]
            return self._labels.get(label) or label_hash(label)
        return pack("<d", said.values[row] if said.values is not None else float("nan"))

    def _head(self, weight: bytes | None) -> bytes:
        if len(self._heads) >= _MAX_WEIGHTS:
            self._heads.clear()
        head = self._prefix + _MIDDLE.pack(self._second, percent(weight))
        self._heads[weight] = head
        return head


class Opener:
    """Reads tokens of any version of one model."""

    def __init__(self, keys: Sequence[bytes], model: str) -> None:
        """Every key opens."""
        self._keys = [AESGCM(key) for key in keys]
        self._model = model.encode()

    def open(self, token: str) -> Opened:
        """TokenError when it is none."""
        if len(token) > MAX_TOKEN:
            raise TokenError(f"a token has at most {MAX_TOKEN} characters")
        try:
            raw = b64decode(token, altchars=b"-_", validate=True)
        except (Base64Error, ValueError):
            raise TokenError("is no token: it is not base64url") from None
        nonce, sealed = raw[:_NONCE], raw[_NONCE:]
        for key in self._keys:
            try:
                plain = key.decrypt(nonce, sealed, self._model)
            except (InvalidTag, ValueError):
                continue
            return _parsed(int.from_bytes(nonce[:8], "big"), plain)
        raise TokenError(
            "was changed, is of another model, or was sealed with a key that is not known any more"
        )


def percent(weight: bytes | None) -> int:
    """0 to 100; 100 when a router says nothing, or nothing sensible."""
    if weight is None or len(weight) > 3 or not weight.isdigit():
        return 100
    return min(int(weight), 100)


def label_hash(label: Any) -> bytes:
    """Of a class, or of the truth; equal for what JSON may write differently (1 and 1.0)."""
    if isinstance(label, bool):
        text = "true" if label else "false"
    elif isinstance(label, float) and label.is_integer():
        text = str(int(label))
    else:
        text = str(label)
    return (crc32(text.encode()) or 1).to_bytes(4, "little")


def fingerprint(classes: Sequence[Any]) -> int:
    """The same for versions with the same classes in the same order."""
    return crc32(b"".join(map(label_hash, classes)))


def _parsed(id_: int, plain: bytes) -> Opened:
    """Only what was sealed with our key comes here: it is well formed unless its format is new."""
    try:
        format_, kind, classes = _BEGIN.unpack_from(plain)
        at = _BEGIN.size + 1 + plain[_BEGIN.size]
        version = plain[_BEGIN.size + 1 : at].decode()
        made, weight = _MIDDLE.unpack_from(plain, at)
        at += _MIDDLE.size
        named, rows = _END.unpack_from(plain, at)
        at += _END.size
        width = 8 if kind == VALUES else 4
        data, group = plain[at : at + rows * width], plain[at + rows * width :].decode()
    except (struct.error, IndexError, UnicodeDecodeError):
        raise TokenError("was made by another release of Pawl") from None
    if format_ != _FORMAT or kind not in (LABELS, VALUES) or len(data) != rows * width:
        raise TokenError("was made by another release of Pawl")
    if len(group.encode()) != named:
        raise TokenError("was made by another release of Pawl")
    said: tuple[bytes, ...] | tuple[float, ...]
    if kind == VALUES:
        said = Struct(f"<{rows}d").unpack(data)
    else:
        said = tuple(data[row * 4 : row * 4 + 4] for row in range(rows))
    return Opened(id_, version, made, kind, classes, said, weight, group or None)
