"""A self-signed certificate for one cluster, made when it starts and trusted by its kubeconfig.

TLS is needed because clients (kubectl, client-go) send credentials over nothing else. ECDSA on
P-256 with SHA-256 (FIPS 186-4, SEC 1), X.509 v3 in DER (RFC 5280). Signed once per start with a
nonce of `secrets`; the key leaves the process only as a file that its owner alone can read.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# NIST P-256
_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_Point = tuple[int, int] | None  # None is the point at infinity

_EC_PUBLIC_KEY = "1.2.840.10045.2.1"
_CURVE = "1.2.840.10045.3.1.7"
_ECDSA_SHA256 = "1.2.840.10045.4.3.2"
_COMMON_NAME = "2.5.4.3"
_SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
_BASIC_CONSTRAINTS = "2.5.29.19"
_VALID = timedelta(days=365)


@dataclass(frozen=True)
class Certificate:
    """PEM."""

    certificate: bytes
    key: bytes


def self_signed(names: Iterable[str]) -> Certificate:
    """A certificate for host names and IP addresses, its own authority."""
    key = secrets.randbelow(_N - 1) + 1
    public = _multiply(key, _G)
    now = datetime.now(UTC)
    body = _to_be_signed(public, list(names), now - timedelta(hours=1), now + _VALID)
    algorithm = _sequence(_oid(_ECDSA_SHA256))
    signature = b"\x00" + _sign(key, body)
    certificate = _sequence(body, algorithm, _tlv(0x03, signature))
    curve = _tlv(0xA0, _oid(_CURVE))
    point = _tlv(0xA1, _tlv(0x03, b"\x00" + _encoded(public)))
    secret = _sequence(_integer(1), _tlv(0x04, key.to_bytes(32, "big")), curve, point)
    return Certificate(_pem("CERTIFICATE", certificate), _pem("EC PRIVATE KEY", secret))


def _to_be_signed(public: _Point, names: list[str], start: datetime, end: datetime) -> bytes:
    name = _sequence(_tlv(0x31, _sequence(_oid(_COMMON_NAME), _tlv(0x0C, b"pawl-local"))))
    subject_key = _sequence(
        _sequence(_oid(_EC_PUBLIC_KEY), _oid(_CURVE)), _tlv(0x03, b"\x00" + _encoded(public))
    )
    alternatives = _sequence(*map(_general_name, names))
    authority = _sequence(_tlv(0x01, b"\xff"))  # cA: TRUE
    extensions = _sequence(
        _sequence(_oid(_BASIC_CONSTRAINTS), _tlv(0x01, b"\xff"), _tlv(0x04, authority)),
        _sequence(_oid(_SUBJECT_ALTERNATIVE_NAME), _tlv(0x04, alternatives)),
    )
    return _sequence(
        _tlv(0xA0, _integer(2)),  # v3
        _integer(secrets.randbits(64) | 1),
        _sequence(_oid(_ECDSA_SHA256)),
        name,
        _sequence(_time(start), _time(end)),
        name,
        subject_key,
        _tlv(0xA3, extensions),
    )


def _general_name(name: str) -> bytes:
    try:
        return _tlv(0x87, ipaddress.ip_address(name).packed)
    except ValueError:
        return _tlv(0x82, name.encode())


def _sign(key: int, message: bytes) -> bytes:
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    while True:
        nonce = secrets.randbelow(_N - 1) + 1
        point = _multiply(nonce, _G)
        r = (point[0] if point else 0) % _N
        s = pow(nonce, -1, _N) * (digest + r * key) % _N
        if r and s:
            return _sequence(_integer(r), _integer(s))


def _multiply(factor: int, point: _Point) -> _Point:
    result: _Point = None
    while factor:
        if factor & 1:
            result = _add(result, point)
        point = _add(point, point)
        factor >>= 1
    return result


def _add(a: _Point, b: _Point) -> _Point:
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % _P == 0:
        return None
    if a == b:
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, _P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, _P)
    x = (slope * slope - a[0] - b[0]) % _P
    return x, (slope * (a[0] - x) - a[1]) % _P


def _encoded(point: _Point) -> bytes:
    """Uncompressed form (SEC 1, 2.3.3)."""
    if point is None:
        raise ValueError("the point at infinity is no public key")
    return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        length = bytes([size])
    else:
        digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
        length = bytes([0x80 | len(digits)]) + digits
    return bytes([tag]) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _tlv(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _oid(text: str) -> bytes:
    first, second, *rest = map(int, text.split("."))
    content = bytearray([first * 40 + second])
    for arc in rest:
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | (arc & 0x7F))
        content += bytes(reversed(digits))
    return _tlv(0x06, bytes(content))


def _time(moment: datetime) -> bytes:
    return _tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())


def _pem(label: str, der: bytes) -> bytes:
    text = base64.encodebytes(der).replace(b"\n", b"")
    lines = b"\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n".encode() + lines + f"\n-----END {label}-----\n".encode()
