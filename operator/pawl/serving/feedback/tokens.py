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
from typing import Any, Final, NamedTuple
from zlib import crc32

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pawl.constants import HEADER_WEIGHT
from pawl.serving.codec.base import Predictions
from pawl.serving.errors import TokenError
from pawl.serving.monitor.memory import LABELS, VALUES
from pawl.serving.protocol import MAX_TOKEN_ROWS, percent
from pawl.serving.scored import Job

#: Characters; the largest token (MAX_TOKEN_ROWS values, the longest names) has fewer.
MAX_TOKEN: Final = 1400
#: The label of a prediction that is not finite.
NO_LABEL: Final = b"\0\0\0\0"

_FORMAT: Final = 1
_NONCE: Final = 12
_URLSAFE: Final = bytes.maketrans(b"+/", b"-_")
_BEGIN: Final = Struct("<BBI")  # format, kind, fingerprint of the classes; then the version
_MIDDLE: Final = Struct("<IB")  # epoch second, percent
_END: Final = Struct("<HB")  # after the rows and the group's name: bytes of the name, rows
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
        """The tokens of a batch made at `now` (epoch seconds); None for requests of too many rows,
        and where the outputs say nothing that can be right or wrong. All at once: the cipher is
        much slower when other work comes in between."""
        if int(now) != self._second:
            self._second = int(now)
            self._heads.clear()
        if len(jobs) == 1 and jobs[0].rows.size > MAX_TOKEN_ROWS:
            return [None]
        rows = self._rows(said)
        if not rows:
            return [None] * len(jobs)
        random, at = os.urandom(len(jobs) * _NONCE), 0
        encrypt, model, heads = self._encrypt, self._model, self._heads
        tokens: list[bytes | None] = []
        start = 0
        for job in jobs:
            count = job.rows.size
            weight = job.reply.request.headers.get(_WEIGHT)
            head = heads.get(weight) or self._head(weight)
            group = job.request.group
            if count == 1 and group is None:
                plain = head + rows[start] + _ONE_ROW
            elif count <= MAX_TOKEN_ROWS:
                name = (group or "").encode()
                end = name + _END.pack(len(name), count)
                plain = head + b"".join(rows[start : start + count]) + end
            else:
                start += count
                tokens.append(None)
                continue
            start += count
            nonce = random[at : at + _NONCE]
            at += _NONCE
            raw = nonce + encrypt(nonce, plain, model)
            tokens.append(b2a_base64(raw, newline=False).translate(_URLSAFE))
        return tokens

    def _rows(self, said: Predictions) -> list[bytes]:
        if said.labels is not None:
            known = self._labels
            return [known.get(label) or label_hash(label) for label in said.labels]
        return [pack("<d", value) for value in said.values or ()]

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
        named, rows = _END.unpack(plain[-_END.size :])
        data, name = plain[at : -_END.size - named], plain[-_END.size - named : -_END.size]
        group = name.decode()
    except (struct.error, IndexError, UnicodeDecodeError):
        raise TokenError("was made by another release of Pawl") from None
    width = 8 if kind == VALUES else 4
    if format_ != _FORMAT or kind not in (LABELS, VALUES) or len(data) != rows * width:
        raise TokenError("was made by another release of Pawl")
    said: tuple[bytes, ...] | tuple[float, ...]
    if kind == VALUES:
        said = Struct(f"<{rows}d").unpack(data)
    else:
        said = tuple(data[row * 4 : row * 4 + 4] for row in range(rows))
    return Opened(id_, version, made, kind, classes, said, weight, group or None)
