"""When a Deployment is looked at again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from test_deployment_rollout import trial

from pawl.api.deployment import DeploymentStatus
from pawl.api.rollout_status import RolloutStatus
from pawl.core import pace
from pawl.core.measurement import LAG, POLL, window
from pawl.core.shift import Step

NOW = datetime(2026, 11, 21, 12, 0, 0, 500_000, UTC)
T = int(NOW.timestamp())


def state(**changes: Any) -> RolloutStatus:
    started = "2026-11-21T11:59:00Z"
    values = {"phase": "Canary", "candidate": "churn-v2", "digest": "sha256:" + "0" * 64}
    values |= {"reference": 1, "started_at": started, "step_started_at": started}
    return RolloutStatus(**values | changes)


def step(*, confirmed: bool, phase: Any = "Serving") -> Step:
    return Step({1: 100}, None, phase, "", confirmed, frozenset())


@pytest.mark.parametrize(
    ("rollout", "now", "expected"),
    [
        pytest.param(None, step(confirmed=True), pace.WATCH, id="nothing under way"),
        pytest.param(None, step(confirmed=False, phase="Shifting"), 1.0, id="traffic moves"),
        pytest.param(state(measured_to=T - 1), step(confirmed=False), 1.0, id="it moves in a step"),
        pytest.param(state(measured_to=T - 1), step(confirmed=True), 1.5, id="the next window"),
        pytest.param(state(measured_to=T + 9), step(confirmed=True), 2.0, id="a clock was ahead"),
        pytest.param(state(measured_to=T - 90), step(confirmed=True), 1.0, id="nobody answered"),
        pytest.param(state(step_started_at=None), step(confirmed=True), 1.0, id="not begun"),
    ],
)
def test_the_next_look(rollout: RolloutStatus | None, now: Step, expected: float):
    assert pace.pause(now, rollout, NOW) == expected


def test_the_next_look_finds_a_window():
    measured = state(measured_to=T - 1)
    after = pace.pause(step(confirmed=True), measured, NOW)
    assert window(measured, NOW.timestamp()) is None
    assert window(measured, NOW.timestamp() + after) == (T - 1, T - 1 + POLL)
    assert LAG == 1


def test_a_measurement_alone_is_no_reason_to_look_again_at_once():
    world = trial()
    world.until("Canary")
    before = DeploymentStatus.model_validate(world.status("Deployment", "churn"))
    assert before.rollout is not None
    later = before.rollout.model_copy(update={"measured_to": 9, "step_samples": 7, "message": "x"})
    assert pace.stands(before.model_copy(update={"rollout": later})) == pace.stands(before)
    paused = before.rollout.model_copy(update={"paused_at": "2026-11-21T12:00:00Z"})
    assert pace.stands(before.model_copy(update={"rollout": paused})) != pace.stands(before)
