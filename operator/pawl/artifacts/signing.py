"""Signatures of artifacts: who vouches for the bytes that a digest names.

What is signed is the digest as text, `sha256:<hex>`: of a bundle's manifest.json, or of a single
file. A signature lies beside it, `manifest.json.<key id>.sig` or `<name>.onnx.<key id>.sig`, as
base64, so signatures by several keys stand side by side and a key can be replaced. Keys are PEM:
Ed25519 (RFC 8032), or ECDSA on P-256 with SHA-256, which is what `cosign sign-blob` makes. The id
of a key is the beginning of the SHA-256 of its SubjectPublicKeyInfo.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from pawl.artifacts.bundle import MANIFEST
from pawl.artifacts.canonical import hex_of
from pawl.artifacts.redact import redact
from pawl.artifacts.retry import Retry
from pawl.artifacts.store import open_store
from pawl.artifacts.uris import Guard
from pawl.errors import ConflictError, IntegrityError, UserError

_BLOCK = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)
_MAX_KEYS, _MAX_SIGNATURE = 16, 1024
_Public = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey
_Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class PublicKey:
    """One that is trusted."""

    id: str
    _key: _Public

    def verifies(self, signature: bytes, digest: str) -> bool:
        """Whether it has made the signature of a digest."""
        try:
            if isinstance(self._key, ed25519.Ed25519PublicKey):
                self._key.verify(signature, digest.encode())
            else:
                self._key.verify(signature, digest.encode(), ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


def public_keys(pem: str) -> tuple[PublicKey, ...]:
    """All keys of a PEM text. UserError when one is no key that can be used, or there is none."""
    blocks = _BLOCK.findall(pem)
    if not 0 < len(blocks) <= _MAX_KEYS:
        raise UserError(f"give 1 to {_MAX_KEYS} public keys in PEM, not {len(blocks)}")
    return tuple(_public(block) for block in blocks)


def _public(block: str) -> PublicKey:
    try:
        key = load_pem_public_key(block.encode())
    except ValueError as error:
        raise UserError("a public key cannot be read: it is no PEM") from error
    if not isinstance(key, _Public) or not _known_curve(key):
        raise UserError("a public key must be Ed25519 or ECDSA on P-256")
    return PublicKey(_id(key), key)


def private_key(pem: str) -> _Private:
    """The key of a PEM text, not encrypted. UserError when it is none that can be used; what it
    says holds nothing of the key."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        text = "the signing key cannot be read: it must be a PEM that is not encrypted"
        raise UserError(text) from error
    if not isinstance(key, _Private) or not _known_curve(key):
        raise UserError("the signing key must be Ed25519 or ECDSA on P-256")
    return key


def sign(uri: str, digest: str, key: _Private, *, retry: Retry | None = None) -> str:
    """Signs the digest of the artifact at `uri`, leaves the signature beside it and gives the key's
    id. Signing twice is no error, and what is there by the key's name but does not verify is
    replaced."""
    digest = f"sha256:{hex_of(digest)}"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        made = key.sign(digest.encode())
    else:
        made = key.sign(digest.encode(), ec.ECDSA(SHA256()))
    public = PublicKey(_id(key.public_key()), key.public_key())
    folder, name = _place(uri)
    path, text = f"{name}.{public.id}.sig", base64.b64encode(made) + b"\n"
    with open_store(folder, retry=retry) as store:
        try:
            store.put(path, text)
        except ConflictError:
            if not _vouches(public, store.get(path, max_bytes=_MAX_SIGNATURE), digest):
                store.delete(path)
                store.put(path, text)
    return public.id


def verify(
    uri: str,
    digest: str,
    keys: Sequence[PublicKey],
    *,
    retry: Retry | None = None,
    guard: Guard | None = None,
) -> str:
    """The id of a trusted key that vouches for the artifact. IntegrityError (`SignatureMissing`)
    when none has signed it, or (`SignatureInvalid`) not this digest; StoreError."""
    digest = f"sha256:{hex_of(digest)}"
    folder, name = _place(uri)
    wrong = ""
    with open_store(folder, retry=retry, guard=guard) as store:
        for key in keys:
            path = f"{name}.{key.id}.sig"
            try:
                text = store.get(path, max_bytes=_MAX_SIGNATURE)
            except FileNotFoundError:
                continue
            if _vouches(key, text, digest):
                return key.id
            wrong = path
    if wrong:
        raise IntegrityError(f"{wrong} is no signature of {digest}", reason="SignatureInvalid")
    known = ", ".join(key.id for key in keys)
    told = f"{redact(uri)} is not signed by a trusted key ({known}); see `pawl sign`"
    raise IntegrityError(told, reason="SignatureMissing")


def _vouches(key: PublicKey, text: bytes, digest: str) -> bool:
    try:
        return key.verifies(base64.b64decode(text.strip(), validate=True), digest)
    except binascii.Error:
        return False


def _place(uri: str) -> tuple[str, str]:
    """Folder and name of what has the digest."""
    if uri.endswith(".onnx"):
        folder, _, name = uri.rpartition("/")
        return folder, name
    return uri, MANIFEST


def _id(key: _Public) -> str:
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()[:16]


def _known_curve(key: _Public | _Private) -> bool:
    return not hasattr(key, "curve") or isinstance(key.curve, ec.SECP256R1)
