import json
import sys

import pytest

from pawl.local.node import envoy, images

DNS = ("127.20.0.10", 10053)


@pytest.mark.parametrize(
    ("reference", "argv"),
    [
        ("pawl/server:0.1.0", [sys.executable, "-m", "pawl.serving"]),
        ("pawl/operator:0.1.0", [sys.executable, "-m", "pawl", "operator"]),
        ("registry.example:5000/team/pawl/trainer:dev", [sys.executable, "-m", "pawl.training"]),
        ("python:3.12-slim", ["python3"]),
        ("busybox", ["sh"]),
    ],
)
def test_known_images_are_commands_of_this_host(reference: str, argv: list[str]) -> None:
    assert images.pull(reference).argv((), ()) == argv


def test_command_replaces_the_entrypoint_and_args_the_default_arguments() -> None:
    image = images.pull("pawl/trainer:1")
    assert image.argv((), ["prepare"]) == [sys.executable, "-m", "pawl.training", "prepare"]
    assert image.argv(["sh", "-c"], ["true"]) == ["sh", "-c", "true"]
    assert images.pull("python:3").argv((), ["x"]) == ["x"]


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("example.com/nobody/knows:1", "ErrImagePull"),
        ("pawl/unknown:1", "ErrImagePull"),
        ("Not An Image", "InvalidImageName"),
        ("busybox:", "InvalidImageName"),
    ],
)
def test_other_images_cannot_be_had(reference: str, reason: str) -> None:
    with pytest.raises(images.ImageError) as caught:
        images.pull(reference)
    assert caught.value.reason == reason


def test_envoy_gets_the_cluster_dns_beside_its_own_configuration() -> None:
    argv = envoy.local_argv(["envoy", "-c", "/c/envoy.yaml"], DNS)
    assert argv[:3] == [str(envoy.binary()), "-c", "/c/envoy.yaml"]
    config = json.loads(argv[argv.index("--config-yaml") + 1])
    resolver = config["typed_dns_resolver_config"]["typed_config"]["resolvers"][0]
    assert resolver == {"socket_address": {"address": "127.20.0.10", "port_value": 10053}}
    assert "--disable-hot-restart" in argv


@pytest.mark.parametrize("split", [True, False])
def test_envoy_keeps_what_its_arguments_say(split: bool) -> None:
    yaml = "node: {id: router}"
    given = ["--config-yaml", yaml] if split else [f"--config-yaml={yaml}"]
    argv = envoy.local_argv(["envoy", *given, "--concurrency", "3", "--base-id", "7"], DNS)
    config = json.loads(argv[argv.index("--config-yaml") + 1])
    assert config["node"] == {"id": "router"}
    assert "typed_dns_resolver_config" in config
    assert argv.count("--concurrency") == 1
    assert "--disable-hot-restart" not in argv
