"""An installation that serves nothing but what a trusted key has signed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import models
import pytest
import recipes
from clusters import EmbeddedCluster
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
    """On a cluster of its own: keys are a matter of the installation."""
    if request.config.getoption("--kubeconfig"):
        pytest.skip("the operator of that cluster is told its keys by whoever installed it")
    cluster = EmbeddedCluster(tmp_path, PAWL_VERIFY_KEYS=PUBLIC)
    try:
        space = Space(cluster)
        space.open()
        yield space
    finally:
        cluster.down(request.config.getoption("--requests"))


def test_only_what_is_signed_is_served(space: Space, tmp_path: Path):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pawl-signing"}}
    body = {**secret, "stringData": {"key": PRIVATE}}
    space.cluster.resource("Secret").create(body=body, namespace=space.name)
    uri = space.put("cancer.parquet", recipes.cancer())
    space.create("TrainingJob", "job", recipes.sklearn_job(uri))
    space.create("Deployment", "cancer", {"model": "cancer"})
    space.serving("cancer", space.trained("job"))  # signed by publish, verified by the server too
    assert len(space.status("ModelVersion", "cancer-v1")["signedBy"]) == 16

    name = models.imported(space, "mine", 1, models.good())
    space.create("Deployment", "mine", {"model": "mine"})
    told = space.until("ModelVersion", name, lambda s: bool(s.get("conditions")))
    assert condition(told, "ArtifactVerified")["reason"] == "SignatureMissing"
    assert "stable" not in space.status("Deployment", "mine")
    key, keys = tmp_path / "key.pem", tmp_path / "keys.pem"
    key.write_text(PRIVATE)
    keys.write_text(PUBLIC)
    where = (f"mv/{name}", "-n", space.name)
    assert "not signed" in pawl(space.cluster, "verify", *where, "--keys", str(keys), check=False)
    assert "is signed by key" in pawl(space.cluster, "sign", *where, "--key", str(key))
    assert "has signed" in pawl(space.cluster, "verify", *where, "--keys", str(keys))
    space.serving("mine", name)
