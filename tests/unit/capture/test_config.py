"""The environment of a server that captures."""

from __future__ import annotations

from pathlib import Path

import pytest

from pawl.capture.config import from_env
from pawl.errors import UserError

CHOICE = '{"percent": 0.5, "drop": ["email"], "hash": ["customer"]}'


def test_nothing_is_captured_unless_it_is_said() -> None:
    assert from_env({}, 300) is None
    assert from_env({"PAWL_CAPTURE_DIR": "/x", "PAWL_CAPTURE": " "}, 300) is None


def test_takes_what_the_operator_says() -> None:
    env = {"PAWL_CAPTURE": CHOICE, "PAWL_CAPTURE_DIR": "/x", "PAWL_POD": "churn-v7-abc"}
    found = from_env(env, 60)
    assert found is not None
    assert (found.folder, found.pod, found.roll_seconds) == (Path("/x"), "churn-v7-abc", 60)
    choice = found.choice
    assert (choice.percent, choice.drop, choice.hash) == (0.5, ("email",), ("customer",))


@pytest.mark.parametrize(
    ("env", "said"),
    [
        pytest.param({"PAWL_CAPTURE": "all"}, "PAWL_CAPTURE is wrong: JSON", id="no JSON"),
        pytest.param({"PAWL_CAPTURE": '{"percent": 200}'}, "percent", id="too much"),
        pytest.param({"PAWL_CAPTURE": "{}"}, "percent", id="how much"),
        pytest.param({"PAWL_CAPTURE": CHOICE}, "PAWL_CAPTURE_DIR is not set", id="where"),
    ],
)
def test_what_is_wrong_is_named(env: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        from_env(env, 300)
