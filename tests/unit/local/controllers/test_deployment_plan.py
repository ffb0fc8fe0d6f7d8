"""Deployments and ReplicaSets, folded over a world in which the test plays the node."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.local.controllers import pods as pod_rules
from pawl.local.controllers import replicaset
from pawl.local.controllers.deployment import plan as deployments
from pawl.local.controllers.deployment.sizes import fenceposts, replicas
from pawl.local.controllers.objects import (
    Obj,
    annotations,
    condition,
    controller_of,
    deleting,
    labels,
    name,
    spec,
    status,
    uid,
)

REVISION = "deployment.kubernetes.io/revision"


class Rolling:
    """One Deployment in a world with its ReplicaSets and pods."""

    def __init__(self, world: Any, count: int = 3, **fields: Any) -> None:
        self.world = world
        template = {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": []}}
        full = {
            "replicas": count,
            "selector": {"matchLabels": {"app": "d"}},
            "template": template,
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            **fields,
        }
        self._own = world.add("apps/deployments", {"metadata": {"name": "d"}, "spec": full})
        self.wait: float | None = None

    @property
    def deployment(self) -> Obj:
        found = self.world.get(self._own)
        assert found is not None
        return found

    @property
    def replica_sets(self) -> list[Obj]:
        return [
            rs
            for rs in self.world.list("apps/replicasets")
            if (controller_of(rs) or {}).get("uid") == uid(self._own)
        ]

    def pods(self, owner: Obj) -> tuple[Obj, ...]:
        return tuple(
            p for p in self.world.list("pods") if (controller_of(p) or {})["uid"] == uid(owner)
        )

    @property
    def active(self) -> list[Obj]:
        return [p for p in self.world.list("pods") if pod_rules.is_active(p)]

    def step(self) -> int:
        """The Deployment's step, then one of each ReplicaSet."""
        pods = {uid(rs): self.pods(rs) for rs in self.replica_sets}
        observed = deployments.Observed(self.deployment, tuple(self.replica_sets), pods)
        plan = deployments.plan_deployment(observed, self.world.now)
        self.world.apply(plan.changes)
        self.wait = plan.requeue_after
        return len(plan.changes) + sum(self.step_replica_set(rs) for rs in self.replica_sets)

    def step_replica_set(self, rs: Obj) -> int:
        everyone = tuple(self.world.list("pods"))
        plan = replicaset.plan_pods(
            replicaset.Observed(rs, self.pods(rs), everyone), self.world.now
        )
        self.world.apply(plan.changes)
        observed = replicaset.Observed(rs, self.pods(rs))
        written = replicaset.plan_status(observed, self.world.now)
        self.world.apply(written.changes)
        return len(plan.changes) + len(written.changes)

    def settle(self, *, node: bool = True) -> None:
        """Until nothing changes; with `node`, pods become ready and deleted ones go."""
        for _ in range(200):
            if not self.step() and not (node and self.play_node()):
                return
        pytest.fail("the rollout does not come to rest")

    def play_node(self) -> int:
        waiting = [p for p in self.world.list("pods") if pod_rules.phase(p) == "Pending"]
        doomed = [p for p in self.world.list("pods") if deleting(p)]
        for pod in waiting:
            self.world.start(pod)
        for pod in doomed:
            self.world.end(pod)
        return len(waiting) + len(doomed)

    def set_image(self, image: str) -> None:
        template = {**spec(self.deployment)["template"], "spec": {"containers": [{"name": image}]}}
        self.set(template=template)

    def set(self, **fields: Any) -> None:
        self.world.put(self._own, spec={**spec(self.deployment), **fields})

    def sizes(self) -> dict[str, int]:
        return {annotations(rs)[REVISION]: replicas(rs) for rs in self.replica_sets}

    def progressing(self) -> tuple[str, str]:
        found = condition(self.deployment, "Progressing")
        assert found is not None
        return found["status"], found["reason"]


def test_a_new_deployment_gets_a_replica_set_and_becomes_available(world: Any) -> None:
    rolling = Rolling(world)
    rolling.settle()
    (rs,) = rolling.replica_sets
    digest = labels(rs)["pod-template-hash"]
    assert name(rs) == f"d-{digest}"
    assert spec(rs)["selector"]["matchLabels"] == {"app": "d", "pod-template-hash": digest}
    assert rolling.sizes() == {"1": 3}
    assert annotations(rolling.deployment)[REVISION] == "1"
    state = status(rolling.deployment)
    counts = {k: state[k] for k in ("replicas", "readyReplicas", "availableReplicas")}
    assert counts == {"replicas": 3, "readyReplicas": 3, "availableReplicas": 3}
    assert state["updatedReplicas"] == 3
    assert "unavailableReplicas" not in state
    assert rolling.progressing() == ("True", "NewReplicaSetAvailable")
    available = condition(rolling.deployment, "Available")
    assert available is not None
    assert available["message"] == "Deployment has minimum availability."
    assert ("ScalingReplicaSet", f"Scaled up replica set {name(rs)} from 0 to 3") in world.events


def test_a_new_template_rolls_over_and_keeps_the_old_replica_set(world: Any) -> None:
    rolling = Rolling(world)
    rolling.settle()
    world.later(1)
    rolling.set_image("b")
    rolling.settle()
    assert rolling.sizes() == {"1": 0, "2": 3}
    assert annotations(rolling.deployment)[REVISION] == "2"
    assert len(rolling.active) == 3


def test_undo_gives_the_old_replica_set_the_next_revision(world: Any) -> None:
    rolling = Rolling(world)
    rolling.settle()
    first = spec(rolling.deployment)["template"]
    world.later(1)
    rolling.set_image("b")
    rolling.settle()
    rolling.set(template=first)
    rolling.settle()
    assert rolling.sizes() == {"2": 0, "3": 3}
    restored = next(rs for rs in rolling.replica_sets if replicas(rs))
    assert annotations(restored)["deployment.kubernetes.io/revision-history"] == "1"


def test_history_is_cut_to_the_limit(world: Any) -> None:
    rolling = Rolling(world, revisionHistoryLimit=1)
    for image in "abcd":
        rolling.set_image(image)
        rolling.settle()
        world.later(1)
    assert rolling.sizes() == {"3": 0, "4": 3}


def test_no_progress_within_the_deadline_is_told(world: Any) -> None:
    rolling = Rolling(world)
    rolling.settle(node=False)
    assert rolling.wait is not None
    world.later(601)
    rolling.settle(node=False)
    assert rolling.progressing() == ("False", "ProgressDeadlineExceeded")


def test_a_paused_deployment_scales_but_does_not_roll(world: Any) -> None:
    rolling = Rolling(world)
    rolling.settle()
    rolling.set(paused=True, replicas=5)
    rolling.set_image("b")
    rolling.settle()
    assert rolling.sizes() == {"1": 5}
    assert rolling.progressing() == ("Unknown", "DeploymentPaused")
    rolling.set(paused=False)
    rolling.settle()
    assert rolling.sizes() == {"1": 0, "2": 5}
    assert rolling.progressing() == ("True", "NewReplicaSetAvailable")


def test_recreate_never_runs_old_and_new_together(world: Any) -> None:
    rolling = Rolling(world, strategy={"type": "Recreate"})
    rolling.settle()
    rolling.set_image("b")
    for _ in range(30):
        rolling.step()
        alive = {controller_of(p)["uid"] for p in world.list("pods")}  # type: ignore[index]
        assert len(alive) <= 1
        rolling.play_node()
    assert rolling.sizes() == {"1": 0, "2": 3}


def test_pods_count_as_available_after_min_ready_seconds(world: Any) -> None:
    rolling = Rolling(world, minReadySeconds=10)
    rolling.settle()
    assert rolling.progressing()[1] != "NewReplicaSetAvailable"
    world.later(10)
    rolling.settle()
    assert rolling.progressing() == ("True", "NewReplicaSetAvailable")


def test_scaling_in_mid_rollout_keeps_the_proportions(world: Any) -> None:
    rolling = Rolling(world, count=10, strategy={"rollingUpdate": {"maxSurge": 3}})
    rolling.settle()
    world.later(1)
    rolling.set_image("broken")
    rolling.settle(node=False)
    assert rolling.sizes() == {"1": 8, "2": 5}
    rolling.set(replicas=20)
    rolling.step()
    assert sum(rolling.sizes().values()) == 23
    assert rolling.sizes() == {"1": 14, "2": 9}


def test_a_name_taken_by_another_replica_set_is_avoided(world: Any) -> None:
    rolling = Rolling(world)
    first = deployments.Observed(rolling.deployment, ())
    made = deployments.plan_deployment(first, world.now).changes[0]
    assert isinstance(made, deployments.Create)
    taken = frozenset({name(made.obj)})
    blocked = deployments.Observed(rolling.deployment, (), taken=taken)
    world.apply(deployments.plan_deployment(blocked, world.now).changes)
    assert status(rolling.deployment)["collisionCount"] == 1
    rolling.settle()
    assert name(rolling.replica_sets[0]) not in taken


def test_surplus_pods_go_unready_first(world: Any) -> None:
    rolling = Rolling(world)
    rolling.settle()
    ready, unready, young = rolling.active
    world.start(unready, ready=False)
    world.put(young, spec={**young["spec"], "nodeName": ""})
    rolling.set(replicas=1)
    rolling.settle()
    assert [uid(p) for p in rolling.active] == [uid(ready)]


limits = st.one_of(st.integers(0, 5), st.integers(0, 100).map(lambda n: f"{n}%"))


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 8),
    surge=limits,
    unavailable=limits,
    moves=st.lists(st.tuples(st.sampled_from("abc"), st.randoms()), min_size=1, max_size=4),
)
def test_a_rolling_update_stays_within_its_limits(
    new_world: Any, count: int, surge: Any, unavailable: Any, moves: list[Any]
) -> None:
    """Never more than replicas + maxSurge pods, never fewer than replicas - maxUnavailable
    available once they were; whatever the order in which pods become ready and go."""
    world = new_world()
    rolling_update = {"maxSurge": surge, "maxUnavailable": unavailable}
    rolling = Rolling(world, count=count, strategy={"rollingUpdate": rolling_update})
    rolling.settle()
    most_surge, most_unavailable = fenceposts(rolling.deployment)
    for image, random in moves:
        world.later(1)
        rolling.set_image(image)
        for _ in range(12):
            rolling.step()
            alive = [p for p in world.list("pods") if not deleting(p)]
            assert len(alive) <= count + most_surge
            assert sum(map(pod_rules.is_ready, alive)) >= count - most_unavailable
            for pod in [p for p in world.list("pods") if random.random() < 0.5]:
                if deleting(pod):
                    world.end(pod)
                elif pod_rules.phase(pod) == "Pending":
                    world.start(pod)
    rolling.settle()
    assert sum(rolling.sizes().values()) == count
    assert all(pod_rules.is_ready(p) for p in rolling.active)
