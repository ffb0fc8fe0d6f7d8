"""Signatures beside artifacts: who vouches, for which digest, by which key."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pawl.artifacts import signing
from pawl.errors import IntegrityError, UserError

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
KEYS = {
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
    "P-256": ec.generate_private_key(ec.SECP256R1()),
}
ALICE, BOB = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()


def public(*keys: Any) -> str:
    form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return "".join(key.public_key().public_bytes(*form).decode() for key in keys)


def private(key: Any, cipher: Any = None) -> str:
    return key.private_bytes(  # type: ignore[no-any-return]
        Encoding.PEM, PrivateFormat.PKCS8, cipher or NoEncryption()
    ).decode()


def test_the_public_key_of_rfc_8032_verifies_its_signature():
    secret = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    key = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
    (trusted,) = signing.public_keys(public(key))
    assert trusted.verifies(key.sign(DIGEST.encode()), DIGEST)
    assert not trusted.verifies(key.sign(OTHER.encode()), DIGEST)


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("name", ["bundle", "model.onnx"], ids=["a bundle", "a single file"])
def test_what_is_signed_is_vouched_for(tmp_path: Path, kind: str, name: str):
    key, uri = signing.private_key(private(KEYS[kind])), f"{tmp_path.as_uri()}/{name}"
    id_ = signing.sign(uri, DIGEST, key)
    assert signing.sign(uri, DIGEST, key) == id_
    keys = signing.public_keys(public(BOB, KEYS[kind]))
    assert signing.verify(uri, DIGEST, keys) == id_
    with pytest.raises(IntegrityError, match=f"no signature of {OTHER}") as refused:
        signing.verify(uri, OTHER, keys)
    assert refused.value.reason == "SignatureInvalid"


def test_a_signature_by_a_stranger_is_none(tmp_path: Path):
    signing.sign(tmp_path.as_uri(), DIGEST, ALICE)
    with pytest.raises(IntegrityError, match="not signed by a trusted key") as refused:
        signing.verify(tmp_path.as_uri(), DIGEST, signing.public_keys(public(BOB)))
    assert refused.value.reason == "SignatureMissing"


def test_a_strangers_signature_under_a_trusted_name_is_invalid(tmp_path: Path):
    keys = signing.public_keys(public(BOB))
    forged = base64.b64encode(ALICE.sign(DIGEST.encode()))
    (tmp_path / f"manifest.json.{keys[0].id}.sig").write_bytes(forged)
    with pytest.raises(IntegrityError) as refused:
        signing.verify(tmp_path.as_uri(), DIGEST, keys)
    assert refused.value.reason == "SignatureInvalid"
    signing.sign(tmp_path.as_uri(), DIGEST, BOB)  # its owner puts it right
    assert signing.verify(tmp_path.as_uri(), DIGEST, keys) == keys[0].id


def test_one_trusted_key_is_enough_while_another_is_replaced(tmp_path: Path):
    for key in (ALICE, BOB):
        signing.sign(tmp_path.as_uri(), DIGEST, key)
    for key in (ALICE, BOB):
        (only,) = signing.public_keys(public(key))
        assert signing.verify(tmp_path.as_uri(), DIGEST, (only,)) == only.id


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_no_bytes_but_a_signature_verify(tmp_path: Path, text: bytes):
    (key,) = signing.public_keys(public(ALICE))
    (tmp_path / f"manifest.json.{key.id}.sig").write_bytes(text)
    with pytest.raises(IntegrityError):
        signing.verify(tmp_path.as_uri(), DIGEST, (key,))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", id="no key"),
        pytest.param(public(rsa.generate_private_key(65537, 2048)), id="RSA"),
        pytest.param(public(ec.generate_private_key(ec.SECP384R1())), id="another curve"),
        pytest.param(public(*([ALICE] * 17)), id="too many"),
        pytest.param(private(ALICE), id="a private one"),
    ],
)
def test_public_keys_that_cannot_be_used(text: str):
    with pytest.raises(UserError, match="key"):
        signing.public_keys(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(public(ALICE), id="a public one"),
        pytest.param(private(ALICE, BestAvailableEncryption(b"x")), id="encrypted"),
        pytest.param(private(rsa.generate_private_key(65537, 2048)), id="RSA"),
    ],
)
def test_private_keys_that_cannot_be_used(text: str):
    with pytest.raises(UserError, match="signing key") as refused:
        signing.private_key(text)
    assert "BEGIN" not in str(refused.value)
