"""What the last act takes for drift, and for its end."""

from __future__ import annotations

from typing import Any

import pytest

from pawl.cli.demo.loop import _as_before, _drifted, _passed_champion
from pawl.cli.demo.traffic import DemoError


def told(status: str, verdict: str | None, *drifted: str, version: str = "m-v2") -> dict[str, Any]:
    decided = {"verdict": verdict, "drifted": drifted, "message": "so it is"} if verdict else None
    return {
        "conditions": [{"type": "Drifted", "status": status}],
        "drift": {"version": version, "decided": decided},
    }


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param({}, False, id="nothing is known yet"),
        pytest.param(told("False", "Pass"), False, id="no drift"),
        pytest.param(told("True", "Fail", "worst area", "mean radius"), True, id="drift"),
    ],
)
def test_drift_is_what_the_condition_says(status: dict[str, Any], expected: bool) -> None:
    assert _drifted(status) is expected


def test_drift_of_other_features_is_not_what_was_caused() -> None:
    with pytest.raises(DemoError, match="mean texture"):
        _drifted(told("True", "Fail", "mean texture"))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param({}, False, id="nothing is known yet"),
        pytest.param(told("False", "Pass"), True, id="decided"),
        pytest.param(told("False", None), False, id="its first window goes on"),
        pytest.param(told("Unknown", "Inconclusive"), False, id="too few rows"),
        pytest.param(told("False", "Pass", version="m-v1"), False, id="of the version before"),
    ],
)
def test_all_is_as_before_once_a_window_of_the_version_says_so(
    status: dict[str, Any], expected: bool
) -> None:
    assert _as_before("m-v2")(status) is expected


def test_a_window_that_fails_ends_the_demo() -> None:
    with pytest.raises(DemoError, match="so it is"):
        _as_before("m-v2")(told("True", "Fail", "mean radius"))


@pytest.mark.parametrize(
    "gates",
    [
        pytest.param([], id="no gate"),
        pytest.param([{"kind": "min", "verdict": "Pass"}], id="another one"),
        pytest.param([{"kind": "champion", "verdict": "Inconclusive"}], id="not proven"),
    ],
)
def test_the_successor_must_have_passed_the_champion_gate(gates: list[dict[str, str]]) -> None:
    with pytest.raises(DemoError, match="champion"):
        _passed_champion({"spec": {"gates": gates}})
