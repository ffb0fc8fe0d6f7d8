"""An installation that serves nothing but what a trusted key has signed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import recipes
from chosen import chosen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from harness import Space, condition
from trial import pawl

KEY = Ed25519PrivateKey.generate()
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def space(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Space]:
    """Keys are a matter of the installation."""
    with chosen(request.config, tmp_path, PAWL_VERIFY_KEYS=PUBLIC) as cluster:
        space = Space(cluster)
        space.open()
        try:
            yield space
        finally:
            space.close()


@pytest.mark.alone
def test_only_what_is_signed_is_served(space: Space, tmp_path: Path):
    uri = space.put("cancer.parquet", recipes.cancer())
    space.create("TrainingJob", "first", recipes.sklearn_job(uri))
    space.create("Deployment", "cancer", {"model": "cancer"})
    name = space.trained("first")  # in a namespace without a key
    told = space.until("ModelVersion", name, lambda s: bool(s.get("conditions")))
    assert condition(told, "ArtifactVerified")["reason"] == "SignatureMissing"
    assert "stable" not in space.status("Deployment", "cancer")
    key, keys = tmp_path / "key.pem", tmp_path / "keys.pem"
    key.write_text(PRIVATE)
    keys.write_text(PUBLIC)
    where = (f"mv/{name}", "-n", space.name)
    assert "not signed" in pawl(space.cluster, "verify", *where, "--keys", str(keys), fails=2)
    assert "is signed by key" in pawl(space.cluster, "sign", *where, "--key", str(key))
    assert "has signed" in pawl(space.cluster, "verify", *where, "--keys", str(keys))
    space.serving("cancer", name)

    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pawl-signing"}}
    body = {**secret, "stringData": {"key": PRIVATE}}
    space.cluster.resource("Secret").create(body=body, namespace=space.name)
    space.create("TrainingJob", "second", recipes.sklearn_job(uri, seed=2))
    space.serving(
        "cancer", space.trained("second")
    )  # signed by publish, verified by the server too
    assert len(space.status("ModelVersion", "cancer-v2")["signedBy"]) == 16
