"""When a successor is trained, what came of it, and when no more are."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watch_world import served
from world import DIGEST, NOW

from pawl.api.drift import RetrainSpec
from pawl.api.drift_status import DriftStatus, DriftWindow, RetrainStatus
from pawl.core.conditions import Conditions, timestamp
from pawl.core.plan import Delete, MergePatch
from pawl.core.versions import read_versions
from pawl.core.watch import Alarm, Asked, Followed, follow

ALARM = Alarm("Drifted", "age psi 0.4 > 0.2", timestamp(NOW), ("features",), ("age",))
ITEM = {
    "apiVersion": "pawl.dev/v1alpha1",
    "kind": "Deployment",
    "metadata": {"name": "churn", "namespace": "ml", "uid": "uid-d"},
}
RECIPE = {
    "metadata": {"name": "weekly"},
    "spec": {"model": "m", "data": {"uri": "file:///x"}, "suspend": True},
}
DRIFT = DriftStatus(version="m-v1", window_start=timestamp(NOW), window_end=timestamp(NOW))


def job(minutes: int, phase: str = "Running", version: str | None = None, **meta: Any) -> Any:
    """A retrain that was started so many minutes ago."""
    started = NOW - timedelta(minutes=minutes)
    run = {"number": 1, "phase": phase, "recipeDigest": DIGEST, "message": "it is so"}
    return {
        "metadata": {
            "name": f"churn-{started:%Y%m%d-%H%M}",
            "namespace": "ml",
            "uid": f"uid-{minutes}",
            "creationTimestamp": timestamp(started),
            **meta,
        },
        "status": {"run": run | ({"modelVersion": version} if version else {})},
    }


def version(number: int, *, rejected: bool = False, approval: str = "Automatic") -> Any:
    gate = {"metric": "auc", "kind": "min", "verdict": "Fail", "limit": 0.9, "message": "auc < 0.9"}
    return {
        "metadata": {
            "name": f"m-v{number}",
            "namespace": "ml",
            "uid": f"v{number}",
            "creationTimestamp": timestamp(NOW),
        },
        "spec": {
            "model": "m",
            "version": number,
            "artifact": {"uri": "file:///x", "digest": DIGEST, "format": "onnx"},
            "approval": approval,
            "lineage": {"data": {"uri": "file:///x", "digest": DIGEST}},
            **({"gates": [gate]} if rejected else {}),
        },
    }


def asked(*jobs: Any, versions: tuple[Any, ...] = (version(1),), **changes: Any) -> Asked:
    spec = {"from": "weekly", "cooldown": "1h", "maxPerDay": 2} | changes.pop("spec", {})
    base = Asked(
        item=ITEM,
        model="m",
        spec=RetrainSpec.model_validate(spec),
        retrains=True,
        stable=served(1),
        versions=read_versions(versions, "m"),
        rolled_back=frozenset(),
        jobs=jobs,
        recipe=RECIPE,
        reset="",
        now=NOW,
    )
    return replace(base, **changes)


def step(
    given: Asked, alarm: Alarm | None = ALARM, drift: DriftStatus = DRIFT
) -> tuple[Followed, str]:
    conditions = Conditions((), generation=1, now=NOW)
    found = follow(given, None, drift, alarm, conditions)
    return found, conditions.reason("Retraining")


def started(found: Followed) -> list[Any]:
    return [found.training.object] if found.training is not None else []


def test_drift_starts_a_training_by_the_recipe_and_says_why() -> None:
    found, reason = step(asked())
    (made,) = started(found)
    assert reason == "Training"
    assert made["metadata"]["name"] == "churn-20261121-1200"
    assert made["metadata"]["ownerReferences"][0]["uid"] == "uid-d"
    assert made["spec"] == {
        "model": "m",
        "data": {"uri": "file:///x"},
        "cause": {
            "deployment": "churn",
            "reason": "Drifted",
            "message": "age psi 0.4 > 0.2",
            "window": timestamp(NOW),
            "features": ["age"],
            "dataDigest": DIGEST,
            "minLabelled": 1000,
        },
    }


def test_it_says_which_rows_count() -> None:
    first = version(1)
    first["spec"]["lineage"]["data"]["newest"] = "2026-11-20T00:00:00Z"
    spec = {"minLabelled": 250}
    found, _ = step(asked(versions=(first,), spec=spec, label_delay="1d"))
    (made,) = started(found)
    cause = made["spec"]["cause"]
    assert (cause["dataNewest"], cause["labelDelay"]) == ("2026-11-20T00:00:00Z", "1d")
    assert cause["minLabelled"] == 250


def test_a_second_retrain_of_the_same_minute_has_a_name_of_its_own() -> None:
    first = job(0, "Failed")
    found, reason = step(asked(first, spec={"cooldown": "0s"}))
    (made,) = started(found)
    assert reason == "Training"
    assert made["metadata"]["name"] == f"{first['metadata']['name']}-2"
    assert made["metadata"]["name"] > first["metadata"]["name"]


@pytest.mark.parametrize(
    ("given", "alarm", "reason"),
    [
        pytest.param(asked(), None, "Idle", id="no drift"),
        pytest.param(asked(retrains=False), ALARM, "NotAsked", id="action notify"),
        pytest.param(asked(spec={"when": ["age"]}), ALARM, "NotAsked", id="another cause"),
        pytest.param(asked(spec={"on": ["age"]}), ALARM, "NotAsked", id="by the former name"),
        pytest.param(asked(recipe=None), ALARM, "NoRecipe", id="no recipe"),
        pytest.param(
            asked(recipe={"spec": {"model": "other"}}), ALARM, "NoRecipe", id="of another model"
        ),
        pytest.param(asked(job(5)), ALARM, "Training", id="one goes on"),
        pytest.param(
            asked(job(5, "Succeeded", "m-v2"), versions=(version(1), version(2))),
            ALARM,
            "RollingOut",
            id="its version is rolled out",
        ),
        pytest.param(asked(job(59, "NoNewData")), ALARM, "Cooldown", id="cooldown"),
        pytest.param(
            asked(job(90, "Failed"), job(200, "Failed")), ALARM, "DailyLimit", id="two today"
        ),
        pytest.param(
            asked(*(job(1500 + 60 * i, "Failed") for i in range(3))),
            ALARM,
            "BreakerOpen",
            id="three in vain",
        ),
    ],
)
def test_what_keeps_a_training_from_being_started(
    given: Asked, alarm: Alarm | None, reason: str
) -> None:
    found, why = step(given, alarm)
    assert why == reason
    assert started(found) == []


def test_runs_without_new_data_do_not_count() -> None:
    found, _ = step(asked(job(70, "NoNewData"), job(140, "NoNewData"), job(210, "Failed")))
    assert len(started(found)) == 1
    assert found.status is not None
    assert (found.status.today, found.status.fruitless) == (1, 1)


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        pytest.param(asked(job(5, "Succeeded", "m-v1")), "Helped", id="served"),
        pytest.param(
            asked(
                job(5, "Succeeded", "m-v2"),
                versions=(version(1), version(2, rejected=True)),
            ),
            "Fruitless",
            id="rejected by its gates",
        ),
        pytest.param(
            asked(
                job(5, "Succeeded", "m-v2"),
                versions=(version(1), version(2)),
                rolled_back=frozenset({"m-v2"}),
            ),
            "Fruitless",
            id="rolled back",
        ),
        pytest.param(asked(job(5, "Succeeded", "m-v2")), "Fruitless", id="its version is gone"),
        pytest.param(asked(job(5, "Failed")), "Failed", id="failed"),
        pytest.param(
            asked(
                job(5, "Succeeded", "m-v2"),
                versions=(version(1), version(2, approval="Required")),
            ),
            "RollingOut",
            id="waits for approval",
        ),
    ],
)
def test_what_came_of_a_retrain(given: Asked, outcome: str) -> None:
    found, _ = step(given, None)
    assert found.status is not None
    assert found.status.outcome == outcome


@pytest.mark.parametrize(
    ("second", "changes", "outcome"),
    [
        pytest.param(version(2), {}, "Trained", id="approved"),
        pytest.param(version(2, approval="Required"), {}, "Trained", id="waits for approval"),
        pytest.param(version(2, rejected=True), {}, "Fruitless", id="rejected by its gates"),
        pytest.param(version(2), {"stable": served(2)}, "Helped", id="then pinned itself"),
        pytest.param(version(2), {"pinned": False}, "RollingOut", id="no longer pinned"),
    ],
)
def test_what_came_of_a_retrain_under_a_pin(second: Any, changes: Any, outcome: str) -> None:
    given = asked(job(5, "Succeeded", "m-v2"), versions=(version(1), second), pinned=True)
    found, _ = step(replace(given, **changes), None)
    assert found.status is not None
    assert found.status.outcome == outcome


def test_a_version_that_a_pin_keeps_back_neither_blocks_nor_counts_as_help() -> None:
    kept_back = job(70, "Succeeded", "m-v2")
    vain = [job(1500, "Failed"), job(1600, "Failed")]
    versions = (version(1), version(2))
    given = asked(kept_back, *vain, versions=versions, pinned=True)
    found, reason = step(given)
    assert reason == "Training"
    assert found.status is not None
    assert (found.status.fruitless, found.status.today) == (2, 1)
    assert [
        action for action in found.actions if action.name == kept_back["metadata"]["name"]
    ] == []


def test_a_version_that_a_pin_keeps_back_is_told_once() -> None:
    given = asked(job(5, "Succeeded", "m-v2"), versions=(version(1), version(2)), pinned=True)
    before = RetrainStatus(
        training_job=given.jobs[0]["metadata"]["name"],
        last=timestamp(NOW - timedelta(minutes=5)),
        outcome="Training",
    )
    conditions = Conditions((), generation=1, now=NOW)
    first = follow(given, before, DRIFT, ALARM, conditions)
    assert [e.reason for e in first.events] == ["Trained"]
    assert "m-v2 is not rolled out: spec.version pins another" in first.events[0].message
    again = follow(given, first.status, DRIFT, ALARM, conditions)
    assert again.events == []


def test_what_was_in_vain_is_noted_and_told_once() -> None:
    found, _ = step(asked(job(5, "Failed")), None)
    (patch,) = found.actions
    assert isinstance(patch, MergePatch)
    assert patch.patch["metadata"]["annotations"] == {"pawl.dev/outcome": "Failed"}
    assert [e.reason for e in found.events] == ["RetrainFailed", "RetrainStarted"]
    noted = job(5, "Failed", annotations={"pawl.dev/outcome": "Failed"})
    again, _ = step(asked(noted), None)
    assert again.actions == []


def test_what_was_started_is_recorded_once_with_its_cause() -> None:
    begun = job(5)
    begun["spec"] = {"cause": {"message": "age has drifted"}}
    found, _ = step(asked(begun), None)
    (line,) = found.lines
    assert line.name.endswith("-RetrainStarted")
    assert (line.content["trainingJob"], line.content["message"]) == (
        begun["metadata"]["name"],
        "age has drifted",
    )
    conditions = Conditions((), generation=1, now=NOW)
    assert follow(asked(begun), found.status, DRIFT, ALARM, conditions).lines == []


def test_a_successor_that_drifts_in_its_first_window_was_in_vain() -> None:
    now, later = timestamp(NOW), timestamp(NOW + timedelta(hours=1))
    decided = DriftWindow(start=now, end=later, samples=9, verdict="Fail")
    drift = DRIFT.model_copy(update={"decided": decided, "windows": 1})
    given = asked(job(90, "Succeeded", "m-v1"))
    found, _ = step(given, None, drift)
    assert found.status is not None
    assert (found.status.outcome, found.status.fruitless) == ("Fruitless", 1)
    second, _ = step(given, None, drift.model_copy(update={"windows": 2}))
    assert second.status is not None
    assert second.status.outcome == "Helped"


def test_a_retrain_that_was_deleted_is_not_started_again_at_once() -> None:
    old = RetrainStatus(training_job="gone", last=timestamp(NOW - timedelta(minutes=5)))
    conditions = Conditions((), generation=1, now=NOW)
    found = follow(asked(job(600, "NoNewData")), old, DRIFT, ALARM, conditions)
    assert conditions.reason("Retraining") == "Cooldown"
    assert (found.training, found.events) == (None, [])
    assert found.status is not None
    assert found.status.last == old.last


def test_a_recipe_that_cannot_be_acted_on_was_in_vain() -> None:
    stalled = {
        "type": "Stalled", "status": "True", "reason": "InvalidSpec", "message": "data: no such",
        "lastTransitionTime": timestamp(NOW),
    }  # fmt: skip
    broken = job(5) | {"status": {"conditions": [stalled]}}
    found, _ = step(asked(broken), None)
    assert found.status is not None
    assert found.status.outcome == "Failed"
    assert found.events[0].message.endswith("data: no such")


def test_a_lost_status_does_not_make_a_later_window_the_first() -> None:
    start, end = (timestamp(NOW + timedelta(hours=hours)) for hours in (5, 6))
    decided = DriftWindow(start=start, end=end, samples=9, verdict="Fail")
    drift = DRIFT.model_copy(update={"decided": decided, "windows": 1})
    stable = served(1).model_copy(update={"since": timestamp(NOW)})
    found, _ = step(asked(job(90, "Succeeded", "m-v1"), stable=stable), None, drift)
    assert found.status is not None
    assert found.status.outcome == "Helped"


def test_a_reset_closes_the_breaker() -> None:
    jobs = [job(1500 + 60 * i, "Failed") for i in range(3)]
    name = jobs[0]["metadata"]["name"]
    for left in (jobs, jobs[1:]):  # the one that it names may be gone
        _, reason = step(asked(*left, reset=name))
        assert reason == "Training"


def test_the_breaker_is_told_once_and_that_it_is_closed() -> None:
    jobs = [job(1500 + 60 * i, "Failed") for i in range(3)]
    reset = asked(*jobs, reset=jobs[0]["metadata"]["name"])
    conditions = Conditions((), generation=1, now=NOW)
    for case, expected in (
        (asked(*jobs), {"BreakerOpen"}),
        (asked(*jobs), set()),
        (reset, {"BreakerClosed"}),
        (reset, set()),
    ):
        found = follow(case, None, DRIFT, ALARM, conditions)
        assert {e.reason for e in found.events} & {"BreakerOpen", "BreakerClosed"} == expected


def test_a_recipe_that_is_not_there_is_told_once() -> None:
    conditions = Conditions((), generation=1, now=NOW)
    for expected in (["NoRecipe"], []):
        found = follow(replace(asked(), recipe=None), None, DRIFT, ALARM, conditions)
        assert [e.reason for e in found.events] == expected


def test_old_retrains_are_removed_when_there_are_many() -> None:
    jobs = [job(1500 + i, "NoNewData") for i in range(12)]
    found, _ = step(asked(*jobs), None)
    gone = [action.name for action in found.actions if isinstance(action, Delete)]
    assert gone == [jobs[10]["metadata"]["name"], jobs[11]["metadata"]["name"]]


@settings(max_examples=60, deadline=None)
@given(
    outcomes=st.lists(st.sampled_from(["Failed", "NoNewData", "rejected"]), min_size=30),
    minutes=st.lists(st.integers(1, 600), min_size=30, max_size=30),
)
def test_it_never_storms(outcomes: list[str], minutes: list[int]) -> None:
    """Whatever becomes of retrains while drift stays: cooldown, budget and breaker hold."""
    jobs: list[Any] = []
    now: datetime = NOW
    versions = (version(1), version(2, rejected=True))
    for what, pause in zip(outcomes, minutes, strict=False):
        now += timedelta(minutes=pause)
        found, _ = step(asked(*jobs, now=now, versions=versions))
        for made in started(found):
            phase, gave = ("Succeeded", "m-v2") if what == "rejected" else (what, None)
            fresh = job(0, phase, gave)
            fresh["metadata"] |= {
                "name": made["metadata"]["name"],
                "creationTimestamp": timestamp(now),
            }
            jobs.append(fresh | {"what": what, "at": now})
        counted = [j["at"] for j in jobs if j["what"] != "NoNewData"]
        assert all(b - a >= timedelta(hours=1) for a, b in itertools.pairwise(counted))
        assert sum(now - at < timedelta(days=1) for at in counted) <= 2
        assert len(counted) <= 3
