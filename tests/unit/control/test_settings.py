"""What the operator is told by its environment."""

from __future__ import annotations

from typing import Any

import pytest

from pawl.control.settings import from_environment
from pawl.errors import UserError

STORE = {"PAWL_STORE": "s3://models/"}


def test_defaults():
    settings = from_environment(STORE)
    assert settings.installation.store == "s3://models"
    assert settings.installation.images.server.startswith("pawl/server:")
    assert settings.namespaces == ()
    assert not settings.notify_private
    assert settings.metrics is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param("0.0.0.0:8081", ("0.0.0.0", 8081), id="IPv4"),
        pytest.param("[::]:8081", ("::", 8081), id="IPv6"),
    ],
)
def test_where_metrics_are_answered(text: str, address: tuple[str, int]):
    assert from_environment({**STORE, "PAWL_METRICS_ADDRESS": text}).metrics == address


@pytest.mark.parametrize(
    ("text", "probe"),
    [
        pytest.param("http://0.0.0.0:8080/healthz", (("0.0.0.0", 8080), "/healthz"), id="a path"),
        pytest.param("http://[::]:8080", (("::", 8080), "/"), id="none"),
    ],
)
def test_where_the_liveness_probe_is_answered(text: str, probe: Any):
    assert from_environment({**STORE, "PAWL_LIVENESS_URL": text}).liveness == probe


def test_a_lease_is_held_by_a_process_and_not_by_a_pod():
    env = {**STORE, "PAWL_LEASE": "pawl-system/pawl-operator", "PAWL_IDENTITY": "pod-1"}
    first, second = (from_environment(env).lease for _ in range(2))
    assert first is not None
    assert second is not None
    assert (first.namespace, first.name, first.seconds) == ("pawl-system", "pawl-operator", 15)
    assert first.holder.startswith("pod-1_")
    assert first.holder != second.holder
    assert from_environment(STORE).lease is None


def test_images_by_prefix_and_one_by_name():
    env = {**STORE, "PAWL_IMAGE_PREFIX": "mirror/pawl", "PAWL_IMAGE_SERVER_SKLEARN": "x/y:1"}
    images = from_environment(env).installation.images
    assert images.trainer.startswith("mirror/pawl/trainer:")
    assert images.server_sklearn == "x/y:1"


@pytest.mark.parametrize(
    ("env", "words"),
    [
        pytest.param({}, "PAWL_STORE", id="no store"),
        pytest.param({"PAWL_STORE": "/var/models"}, "PAWL_STORE", id="no scheme"),
        pytest.param({**STORE, "PAWL_WORKERS": "many"}, "PAWL_WORKERS", id="no number"),
        pytest.param({**STORE, "PAWL_ALLOWED_URIS": "s3://a/"}, "PAWL_ALLOWED_URIS", id="no JSON"),
        pytest.param({**STORE, "PAWL_ALLOWED_URIS": '["s3://a/"]'}, "ALLOWED_URIS", id="a list"),
        pytest.param({**STORE, "PAWL_ALLOWED_URIS": '{"*": ["lake"]}'}, "begin", id="no URI"),
        pytest.param({**STORE, "PAWL_ALLOWED_URIS": '{"*": 3}'}, "ALLOWED_URIS", id="no rules"),
        pytest.param({**STORE, "PAWL_ALLOWED_URIS": '{"*": "s3://"}'}, "ALLOWED", id="one text"),
        pytest.param({**STORE, "PAWL_NOTIFY_PRIVATE": "yes"}, "PAWL_NOTIFY_PRIVATE", id="no flag"),
        pytest.param({**STORE, "PAWL_LEASE": "pawl"}, "PAWL_LEASE must be", id="no namespace"),
        pytest.param(
            {**STORE, "PAWL_LEASE": "a/b", "PAWL_LEASE_SECONDS": "0"},
            "PAWL_LEASE_SECONDS",
            id="no time",
        ),
        pytest.param({**STORE, "PAWL_VERIFY_KEYS": "x"}, "PAWL_VERIFY_KEYS: .*key", id="no key"),
        pytest.param({**STORE, "PAWL_OPENLINEAGE_URL": "x:1"}, "http or https", id="no address"),
        pytest.param({**STORE, "PAWL_METRICS_ADDRESS": "8081"}, "PAWL_METRICS_ADDRESS", id="port"),
        pytest.param({**STORE, "PAWL_LIVENESS_URL": "0.0.0.0:80"}, "PAWL_LIVENESS_URL", id="url"),
        pytest.param({**STORE, "PAWL_LIVENESS_URL": "http://a"}, "PAWL_LIVENESS_URL", id="no port"),
    ],
)
def test_what_is_wrong_is_named(env: dict[str, str], words: str):
    with pytest.raises(UserError, match=words):
        from_environment(env)


def test_rules_of_uris_are_by_namespace():
    env = {**STORE, "PAWL_ALLOWED_URIS": '{"*": ["s3://lake/{namespace}/"], "a": []}'}
    rules = from_environment(env).installation.uris
    assert rules.of("ml") == ("s3://lake/ml/",)
    assert rules.of("a") == ()
    assert from_environment(STORE).installation.uris.of("ml") is None
