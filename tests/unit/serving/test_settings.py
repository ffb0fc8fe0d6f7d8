"""The environment of a server pod."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from pawl.errors import UserError
from pawl.serving.settings import Settings
from pawl.serving.supervisor import Worker

ENV = {
    "PAWL_MODEL": "churn",
    "PAWL_MODEL_VERSION": "7",
    "PAWL_ARTIFACT_URI": "s3://models/churn",
    "PAWL_ARTIFACT_DIGEST": "sha256:" + "0" * 64,
}


def test_what_is_not_said_has_a_default() -> None:
    settings = Settings.from_env(ENV)
    assert (settings.model, settings.version) == ("churn", "7")
    assert (settings.host, settings.port, settings.processes) == ("127.0.0.1", 8080, 1)
    assert (settings.max_batch_rows, settings.max_batch_delay) == (64, 0.0)
    assert settings.drain == 45


def test_what_is_said_counts() -> None:
    settings = Settings.from_env(
        {
            **ENV,
            "BIND_ADDRESS": "127.9.8.7",
            "PORT": "9000",
            "PAWL_PROCESSES": "4",
            "PAWL_MAX_BATCH_DELAY_MS": "2.5",
            "PAWL_DRAIN_SECONDS": "0",
            "PAWL_ALLOWED_ESTIMATORS": "acme.Model,acme.steps.",
            "PAWL_TERMINATION_LOG": "/dev/termination-log",
        }
    )
    assert (settings.host, settings.port, settings.processes) == ("127.9.8.7", 9000, 4)
    assert settings.max_batch_delay == 0.0025
    assert settings.drain == 0
    assert settings.allowed_types == ("acme.Model", "acme.steps.")
    assert settings.termination_log == Path("/dev/termination-log")


@pytest.mark.parametrize("name", sorted(ENV))
def test_what_must_be_said_is_named(name: str) -> None:
    with pytest.raises(UserError, match=f"{name} is not set"):
        Settings.from_env({**ENV, name: " "})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("PAWL_PROCESSES", "0"),
        ("PAWL_MAX_BATCH_SIZE", "-1"),
        ("PAWL_DRAIN_SECONDS", "nan"),
        ("PAWL_MODEL", "a/b"),
        ("PAWL_MODEL_VERSION", "1 2"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(UserError, match=name):
        Settings.from_env({**ENV, name: value})


def key(byte: bytes, size: int = 32) -> str:
    return b64encode(byte * size).decode()


def test_several_keys_may_be_given() -> None:
    settings = Settings.from_env({**ENV, "PAWL_FEEDBACK_KEY": f"{key(b'n')}, {key(b'o')}"})
    assert settings.feedback_keys == (b"n" * 32, b"o" * 32)


@pytest.mark.parametrize(
    "text", ["secret", key(b"k", 16), f"{key(b'k')},?", ",".join([key(b"k")] * 9)]
)
def test_a_key_that_is_none_is_refused_and_never_shown(text: str) -> None:
    with pytest.raises(UserError, match="PAWL_FEEDBACK_KEY") as raised:
        Settings.from_env({**ENV, "PAWL_FEEDBACK_KEY": text})
    assert "secret" not in str(raised.value)
    assert key(b"k") not in str(raised.value)


def test_keys_are_not_printed() -> None:
    assert "kkkk" not in repr(Settings.from_env({**ENV, "PAWL_FEEDBACK_KEY": key(b"k")}))


def test_the_monitor_is_off_unless_it_has_a_port() -> None:
    assert Settings.from_env(ENV).monitor_port is None
    assert Settings.from_env({**ENV, "PAWL_MONITOR_PORT": "0"}).monitor_port is None
    assert Settings.from_env({**ENV, "PAWL_MONITOR_PORT": "8082"}).monitor_port == 8082


def test_a_worker_is_told_what_it_inherits() -> None:
    worker = Worker(1, 3, listener=4, memory=5, lifeline=6, monitor_listener=7, started=8)
    assert Worker.parse(worker.dump()) == worker
