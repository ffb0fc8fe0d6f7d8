"""A cluster that lost everything: what the decision record gives back."""

from __future__ import annotations

from typing import Any

import pytest
from serving_world import deployment, serving, version
from test_deployment_rollout import ROLLOUT, Trial
from world import INSTALLATION, World, run_json, run_result, training_job

from pawl.artifacts.runs import KnownVersion
from pawl.core.deployment_work import DeploymentObserved
from pawl.core.plan import Create
from pawl.core.recall import Recorded, approval, missing, recall, restored, version_line, wanted
from pawl.core.run_work import TrainingJobObserved
from pawl.core.trainingjob import plan_training_job


def log(world: World) -> list[Any]:
    """As the store has it: the newest first."""
    return [world.decisions[name] for name in sorted(world.decisions, reverse=True)]


class Rebuilt(Trial):
    """A new cluster, before a store that has a record."""

    recorded: Recorded | None = None

    def observe(self) -> DeploymentObserved:
        from dataclasses import replace

        known = ("ConfigMap", "churn-router") in self.objects
        return replace(super().observe(), recorded=None if known else self.recorded)


def rebuilt(old: World, *living: Any, **spec: Any) -> Rebuilt:
    world = Rebuilt(clock=old.clock)
    world.add(deployment(rollout=ROLLOUT, **spec))
    for item in living:
        world.add(item)
    found = log(old)
    names = wanted(found, spec.get("version", "latest"))
    objects = {f"churn-v{n}": version(n) for n in (1, 2, 3)}
    contents = [version_line({**objects[n]}).content for n in names if n in objects]
    world.recorded = Recorded(tuple(found), tuple(restored("ml", c, None) for c in contents))
    return world


def failed_third() -> Trial:
    """v1, then v2, are proved; v3 fails in its canary."""
    old = serving(version(1), make=Trial, replicas=4, rollout=ROLLOUT)
    old.until("Serving")
    old.add(version(2))
    old.until("Shadow")
    old.until("Serving", 200)
    old.add(version(3))
    old.bad = {3: 0.5}
    old.until("Canary")
    old.until("Serving", 200)
    assert old.status("Deployment", "churn")["stable"]["name"] == "churn-v2"
    return old


def test_the_champion_is_served_at_once_and_what_failed_is_not_tried():
    old = failed_third()
    world = rebuilt(old, version(3))  # the first to come back, and verified
    status: dict[str, Any] = {}
    weights = set()
    for _ in range(30):
        status = world.second()
        weights |= set(world.route.weights)
    assert weights == {2}
    assert status["stable"]["name"] == "churn-v2"
    assert status["stable"]["since"] == old.status("Deployment", "churn")["stable"]["since"]
    assert [entry["version"] for entry in status["rolledBack"]] == ["churn-v3"]
    assert ("ModelVersion", "churn-v2") in world.objects
    assert world.decisions == {}  # nothing was decided anew


def test_what_was_not_proved_yet_is_tried_and_not_shipped():
    old = serving(version(1), make=Trial, replicas=4, rollout=ROLLOUT)
    old.until("Serving")
    old.add(version(2))
    old.until("Canary")
    world = rebuilt(old, version(2))
    assert world.until("Canary")["stable"]["name"] == "churn-v1"
    assert world.until("Serving", 200)["stable"]["name"] == "churn-v2"


def test_a_store_that_does_not_answer_is_not_a_first_version():
    world = Rebuilt()
    world.add(deployment())
    world.add(version(1))
    world.recorded = Recorded(error="no route to host")
    status = world.second()
    assert world.route.weights == {}
    ready = next(c for c in status["conditions"] if c["type"] == "Ready")
    assert ready["reason"] == "StoreUnreachable"
    assert "no route to host" in ready["message"]
    world.recorded = Recorded()
    assert world.until("Serving")["stable"]["name"] == "churn-v1"


def test_a_pin_that_is_lost_comes_back():
    old = failed_third()
    world = rebuilt(old, version="churn-v1")
    world.second()
    assert {n for k, n in world.objects if k == "ModelVersion"} == {"churn-v1", "churn-v2"}


def test_failures_count_for_the_generation_that_is_there():
    old = failed_third()
    memory = recall(log(old), generation=7)
    assert [(e.version, e.generation) for e in memory.rolled_back] == [("churn-v3", 7)]


def test_the_last_of_many_failures_stands_for_those_that_are_older():
    def failure(number: int) -> dict[str, Any]:
        entry = {
            "version": f"churn-v{number}",
            "digest": "sha256:" + "1" * 64,
            "generation": 3,
            "at": "2026-11-21T12:00:00Z",
        }
        return {"rolledBack": entry}

    memory = recall([failure(number) for number in range(20, 2, -1)], 1)
    assert [e.version for e in memory.rolled_back] == [f"churn-v{n}" for n in range(20, 10, -1)]


def test_lines_that_nobody_can_read_are_passed_over():
    assert recall([{"served": {"name": 1}}, {"rolledBack": "x"}, {}], 1).stable is None


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        pytest.param([], None, id="never"),
        pytest.param(["a/2026-01-01T000000Z-m-v1-approve-m-v1.json"], "Approved", id="approved"),
        pytest.param(
            [
                "a/2026-01-02T000000Z-m-v1-reject-m-v1.json",
                "a/2026-01-01T000000Z-m-v1-approve-m-v1.json",
            ],
            "Rejected",
            id="rejected later",
        ),
        pytest.param(["a/2026-01-01T000000Z-m-v11-approve-m-v11.json"], None, id="of another"),
    ],
)
def test_a_version_comes_back_as_it_was_decided(lines: list[str], found: str | None):
    assert approval("m-v1", lines) == found
    content = version_line(version(1, approval="Required")).content
    assert restored("ml", content, found)["spec"]["approval"] == (found or "Required")


def test_no_label_of_a_user_is_recorded():
    item = version(1)
    item["metadata"]["labels"] = {"team": "a", "pawl.dev/model": "churn"}
    content = version_line(item).content
    assert content["metadata"] == {"name": "churn-v1", "labels": {"pawl.dev/model": "churn"}}


def lost_version() -> Any:
    lineage = {
        "recipeDigest": "sha256:" + "ab" * 32,
        "data": {"uri": "file:///x", "digest": "sha256:" + "cd" * 32},
    }
    return restored("ml", version_line(version(4, lineage=lineage)).content, None)


def test_a_run_is_told_of_versions_that_the_store_alone_knows():
    lost = lost_version()
    item = training_job()
    first = plan_training_job(TrainingJobObserved(item), INSTALLATION, World().clock)
    digest = first.status["run"]["recipeDigest"]  # type: ignore[index]
    lost["spec"]["lineage"]["recipeDigest"] = digest
    observed = TrainingJobObserved(item, recorded=(lost,))
    plan = plan_training_job(observed, INSTALLATION, World().clock)
    job = next(a.object for a in plan.actions if isinstance(a, Create))
    (known,) = run_json(job)["known"]
    assert KnownVersion.model_validate(known).version.name == "churn-v4"


def test_a_recorded_version_is_created_again_as_it_was():
    lost = lost_version()
    world = World()
    world.add(training_job())
    world.reconcile_job()
    made = run_result(
        outcome="Recorded",
        artifact={
            "name": "churn-v4",
            "uri": "s3://m/4",
            "digest": lost["spec"]["artifact"]["digest"],
        },
    )
    world.finish_job(made)
    from dataclasses import replace

    observed = replace(world.observe_job("churn-nov"), recorded=(lost,))
    plan = plan_training_job(observed, INSTALLATION, world.clock)
    world.carry_out(observed.object, plan)
    assert world.objects[("ModelVersion", "churn-v4")]["spec"] == lost["spec"]
    assert world.status("TrainingJob", "churn-nov")["modelVersion"] == "churn-v4"
    assert missing((lost,), world.of("ModelVersion")) == []
    assert world.claims == {}
