"""What a new status tells for the first time is counted, and counted once."""

from __future__ import annotations

from typing import Any

import pytest

from pawl.control.kinds import DEPLOYMENTS, MODEL_VERSIONS, TRAINING_JOBS, Resource
from pawl.control.metrics import REGISTRY
from pawl.control.outcomes import count

NAMES = ("runs", "decisions", "gate_verdicts", "drift_windows", "retrains")


def counted(resource: Resource, before: Any, after: Any) -> dict[str, float]:
    """name{label values} -> how much was added."""

    def all_() -> dict[str, float]:
        return {
            f"{family.name.removeprefix('pawl_operator_')} {' '.join(sample.labels.values())}":
            sample.value
            for family in REGISTRY.collect()
            if family.name.removeprefix("pawl_operator_") in NAMES
            for sample in family.samples
        }  # fmt: skip

    old = all_()
    count(resource, before, after)
    added = {name: value - old.get(name, 0) for name, value in all_().items()}
    return {name: value for name, value in added.items() if value}


def run(phase: str, number: int = 1) -> dict[str, Any]:
    return {"run": {"phase": phase, "number": number}}


def gates(*verdicts: str, attempt: int = 1) -> dict[str, Any]:
    made = [{"stage": "canary", "metric": f"m{i}", "verdict": v} for i, v in enumerate(verdicts)]
    return {"rollout": {"candidate": "m-v2", "attempt": attempt, "gates": made}}


def decided(verdict: str, end: str = "2") -> dict[str, Any]:
    return {"drift": {"decided": {"start": "1", "end": end, "rules": "r", "verdict": verdict}}}


def history(*reasons: str) -> dict[str, Any]:
    return {"history": [{"version": f"v{i}", "reason": r} for i, r in enumerate(reasons)]}


def retrain(outcome: str, job: str = "a") -> dict[str, Any]:
    return {"retrain": {"trainingJob": job, "outcome": outcome}}


FIRST = {"version": "m-v1", "at": "1", "reason": "Promoted"}
SECOND = {"version": "m-v2", "at": "2", "reason": "GateFailed"}


@pytest.mark.parametrize(
    ("resource", "before", "after", "expected"),
    [
        pytest.param(
            TRAINING_JOBS, run("Running"), run("Failed"), {"runs Failed": 1}, id="a run ends"
        ),
        pytest.param(TRAINING_JOBS, {}, run("Pending"), {}, id="a run begins"),
        pytest.param(
            TRAINING_JOBS, run("Failed"), run("Failed", 2), {"runs Failed": 1}, id="the next run"
        ),
        pytest.param(
            DEPLOYMENTS,
            {"history": [FIRST]},
            {"history": [SECOND, FIRST]},
            {"decisions GateFailed": 1},
            id="a decision",
        ),
        pytest.param(
            DEPLOYMENTS, {}, {"history": [FIRST]}, {"decisions Promoted": 1}, id="the first one"
        ),
        pytest.param(
            DEPLOYMENTS,
            gates("Pass", "Inconclusive", "Error"),
            gates("Pass", "Fail", "Inconclusive"),
            {"gate_verdicts canary Fail": 1},
            id="only gates that come to a verdict",
        ),
        pytest.param(
            DEPLOYMENTS,
            gates("Pass"),
            gates("Pass", attempt=2),
            {"gate_verdicts canary Pass": 1},
            id="another rollout",
        ),
        pytest.param(
            DEPLOYMENTS, decided("Pass"), decided("Pass", "3"), {"drift_windows Pass": 1},
            id="the next window",
        ),
        pytest.param(
            DEPLOYMENTS, retrain("RollingOut"), retrain("Helped"), {"retrains Helped": 1},
            id="a retrain that helped",
        ),
        pytest.param(DEPLOYMENTS, {}, retrain("Training"), {}, id="a retrain under way"),
        pytest.param(MODEL_VERSIONS, {}, {"stage": "Champion"}, {}, id="a version"),
    ],
)  # fmt: skip
def test_what_is_new(resource: Resource, before: Any, after: Any, expected: dict[str, float]):
    assert counted(resource, before, after) == expected


@pytest.mark.parametrize(
    ("resource", "status"),
    [
        pytest.param(TRAINING_JOBS, run("Succeeded"), id="run"),
        pytest.param(DEPLOYMENTS, history("Promoted", "Aborted"), id="decisions"),
        pytest.param(DEPLOYMENTS, gates("Pass", "Fail"), id="gates"),
        pytest.param(DEPLOYMENTS, decided("Fail"), id="window"),
        pytest.param(DEPLOYMENTS, retrain("Failed"), id="retrain"),
    ],
)
def test_a_status_that_is_written_again_counts_nothing(resource: Resource, status: Any):
    assert counted(resource, status, status) == {}
