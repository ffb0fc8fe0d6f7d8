"""Jobs: the planner folded over a world in which the test plays the node."""

from typing import Any

import pytest

from pawl.local.controllers import pods as pod_rules
from pawl.local.controllers.job.backoff import Backoff
from pawl.local.controllers.job.facts import Observed
from pawl.local.controllers.job.plan import plan_job
from pawl.local.controllers.job.spec import COMPLETION_INDEX, TRACKING_FINALIZER, is_tracked
from pawl.local.controllers.objects import Obj, annotations, condition, controller_of, status, uid


class Running:
    """One Job in a world, with the back-off that the controller keeps."""

    def __init__(self, world: Any, **spec: Any) -> None:
        self.world, self.backoff = world, Backoff()
        restart = spec.pop("restartPolicy", "Never")
        init = spec.pop("initContainers", [])
        pod = {"restartPolicy": restart, "initContainers": init, "containers": [{"name": "main"}]}
        full = {"parallelism": 1, "completions": 1, "backoffLimit": 6, **spec}
        full["template"] = {"metadata": {"labels": {"app": "j"}}, "spec": pod}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": full}
        self._job = world.add("batch/jobs", job)
        self.wait: float | None = None

    @property
    def job(self) -> Obj:
        found = self.world.get(self._job)
        assert found is not None
        return found

    @property
    def pods(self) -> list[Obj]:
        owner = uid(self._job)
        return [p for p in self.world.list("pods") if (controller_of(p) or {}).get("uid") == owner]

    @property
    def active(self) -> list[Obj]:
        return [p for p in self.pods if pod_rules.is_active(p)]

    def step(self) -> int:
        observed = Observed(self.job, tuple(self.pods), self.backoff)
        plan = plan_job(observed, self.world.now)
        self.world.apply(plan.changes)
        self.backoff, self.wait = plan.backoff, plan.requeue_after
        return len(plan.changes)

    def settle(self) -> None:
        for _ in range(20):
            if not self.step():
                return
        pytest.fail("the planner does not come to rest")

    def end(self, phase: str = "Failed", code: int = 1, **which: Any) -> None:
        pod = which.get("pod") or self.active[0]
        self.world.end(pod, phase, 0 if phase == "Succeeded" else code)
        self.settle()

    def condition(self, kind: str) -> tuple[str, str] | None:
        found = condition(self.job, kind)
        return (found["reason"], found["message"]) if found and found["status"] == "True" else None

    def set_spec(self, **fields: Any) -> None:
        self.world.put(self._job, spec={**self.job["spec"], **fields})
        self.settle()


def test_first_step_creates_the_pod_and_starts_the_clock(world: Any) -> None:
    running = Running(world)
    running.step()
    (pod,) = running.pods
    assert pod["metadata"]["finalizers"] == [TRACKING_FINALIZER]
    assert pod["metadata"]["name"].startswith("j-")
    assert status(running.job)["startTime"] == "2026-01-01T12:00:00Z"
    assert status(running.job)["active"] == 1
    assert running.step() == 0


def test_success_is_counted_once_and_completes_the_job(world: Any) -> None:
    running = Running(world)
    running.settle()
    running.end("Succeeded")
    state = status(running.job)
    assert (state["succeeded"], state.get("failed"), state.get("active")) == (1, None, None)
    assert state["uncountedTerminatedPods"] == {}
    assert state["completionTime"] == "2026-01-01T12:00:00Z"
    reached = ("CompletionsReached", "Reached expected number of succeeded pods")
    assert running.condition("SuccessCriteriaMet") == reached
    assert running.condition("Complete") == reached
    assert not any(is_tracked(pod) for pod in running.pods)
    assert ("Completed", "Job completed") in world.events


def test_a_failed_pod_is_replaced_after_ten_then_twenty_then_forty_seconds(world: Any) -> None:
    running = Running(world)
    running.settle()
    for wait in (10.0, 20.0, 40.0):
        running.end()
        assert running.active == []
        assert running.wait == wait
        world.later(wait - 1)
        running.settle()
        assert running.active == []
        world.later(1)
        running.settle()
        assert len(running.active) == 1


def test_a_success_starts_the_backoff_over(world: Any) -> None:
    running = Running(world, completions=3)
    running.settle()
    running.end()
    world.later(10)
    running.settle()
    running.end("Succeeded")
    assert len(running.active) == 1
    running.end()
    assert running.wait == 10.0


def test_backoff_limit_fails_the_job(world: Any) -> None:
    running = Running(world, backoffLimit=0)
    running.settle()
    running.end()
    said = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
    assert running.condition("FailureTarget") == said
    assert running.condition("Failed") == said
    assert said in world.events
    assert status(running.job)["failed"] == 1


def test_failed_waits_until_running_siblings_have_ended(world: Any) -> None:
    running = Running(world, parallelism=2, completions=2, backoffLimit=0)
    running.settle()
    first, second = running.active
    world.start(second)
    running.end(pod=first)
    assert running.condition("FailureTarget") is not None
    assert running.condition("Failed") is None
    assert status(running.job)["terminating"] == 1
    world.end(second)
    running.settle()
    assert running.condition("Failed") is not None
    assert status(running.job)["failed"] == 2


def test_restarts_count_against_the_limit_with_on_failure(world: Any) -> None:
    running = Running(world, restartPolicy="OnFailure", backoffLimit=2)
    running.settle()
    (pod,) = running.active
    world.start(pod)
    for restarts, failed in ((1, False), (2, True)):
        live = world.get(pod)
        state = {
            **live["status"],
            "containerStatuses": [{"name": "main", "restartCount": restarts}],
        }
        world.put(pod, status=state)
        running.settle()
        assert (running.condition("FailureTarget") is not None) == failed


def test_the_deadline_fails_a_job_that_runs_too_long(world: Any) -> None:
    running = Running(world, activeDeadlineSeconds=30)
    running.settle()
    assert running.wait == 30.0
    world.later(30)
    running.settle()
    said = ("DeadlineExceeded", "Job was active longer than specified deadline")
    assert running.condition("FailureTarget") == said


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        pytest.param("FailJob", "PodFailurePolicy", id="fail-job"),
        pytest.param("Count", "BackoffLimitExceeded", id="count"),
        pytest.param("Ignore", None, id="ignore"),
    ],
)
def test_pod_failure_policy_on_exit_codes(world: Any, action: str, reason: str | None) -> None:
    codes = {"containerName": "main", "operator": "In", "values": [42]}
    policy = {"rules": [{"action": action, "onExitCodes": codes}]}
    running = Running(world, podFailurePolicy=policy, backoffLimit=0)
    running.settle()
    (pod,) = running.active
    running.end(code=42)
    found = running.condition("FailureTarget")
    assert (found[0] if found else None) == reason
    if action == "FailJob":
        who = f"Container main for pod default/{pod['metadata']['name']}"
        assert found is not None
        assert found[1] == f"{who} failed with exit code 42 matching FailJob rule at index 0"


def test_pod_failure_policy_reads_init_containers(world: Any) -> None:
    codes = {"containerName": "prepare", "operator": "NotIn", "values": [11]}
    policy = {"rules": [{"action": "FailJob", "onExitCodes": codes}]}
    running = Running(world, podFailurePolicy=policy, initContainers=[{"name": "prepare"}])
    running.settle()
    (pod,) = running.active
    ended = {"name": "prepare", "state": {"terminated": {"exitCode": 10}}}
    world.put(pod, status={"phase": "Failed", "initContainerStatuses": [ended]})
    running.settle()
    found = running.condition("Failed")
    assert found is not None
    assert "Container prepare" in found[1]


def test_pod_failure_policy_on_pod_conditions_ignores_disruption(world: Any) -> None:
    patterns = [{"type": "DisruptionTarget", "status": "True"}]
    policy = {"rules": [{"action": "Ignore", "onPodConditions": patterns}]}
    running = Running(world, podFailurePolicy=policy, backoffLimit=0)
    running.settle()
    (pod,) = running.active
    disrupted = [{"type": "DisruptionTarget", "status": "True"}]
    world.put(pod, status={"phase": "Failed", "conditions": disrupted})
    running.settle()
    assert running.condition("FailureTarget") is None
    assert status(running.job).get("failed") is None
    world.later(10)
    running.settle()
    assert len(running.active) == 1


def test_only_failed_pods_are_replaced_when_the_policy_says_so(world: Any) -> None:
    running = Running(world, podReplacementPolicy="Failed")
    running.settle()
    (pod,) = running.active
    world.start(pod)
    world.delete(pod)
    running.settle()
    assert running.active == []
    assert status(running.job)["terminating"] == 1
    world.end(pod)
    running.settle()
    assert running.wait is not None


def test_suspend_deletes_pods_and_resume_starts_the_clock_anew(world: Any) -> None:
    running = Running(world)
    running.settle()
    running.set_spec(suspend=True)
    assert running.pods == []
    assert running.condition("Suspended") == ("JobSuspended", "Job suspended")
    assert "startTime" not in status(running.job)
    world.later(100)
    running.set_spec(suspend=False)
    assert running.condition("Suspended") is None
    assert status(running.job)["startTime"] == "2026-01-01T12:01:40Z"
    assert len(running.active) == 1
    assert [reason for reason, _ in world.events if reason in {"Suspended", "Resumed"}] == [
        "Suspended",
        "Resumed",
    ]


def test_indexed_pods_know_their_index(world: Any) -> None:
    running = Running(world, completionMode="Indexed", completions=3, parallelism=2)
    running.settle()
    pods = sorted(running.active, key=lambda p: annotations(p)[COMPLETION_INDEX])
    assert [annotations(p)[COMPLETION_INDEX] for p in pods] == ["0", "1"]
    assert [p["spec"]["hostname"] for p in pods] == ["j-0", "j-1"]
    assert pods[1]["metadata"]["name"].startswith("j-1-")
    assert pods[0]["spec"]["containers"][0]["env"][0]["name"] == "JOB_COMPLETION_INDEX"
    running.end("Succeeded", pod=pods[1])
    assert status(running.job)["completedIndexes"] == "1"
    assert {annotations(p)[COMPLETION_INDEX] for p in running.active} == {"0", "2"}


def test_backoff_per_index_fails_only_that_index(world: Any) -> None:
    running = Running(
        world,
        completionMode="Indexed",
        completions=2,
        parallelism=2,
        backoffLimitPerIndex=0,
        backoffLimit=100,
    )
    running.settle()
    bad, good = sorted(running.active, key=lambda p: annotations(p)[COMPLETION_INDEX])
    running.end(pod=bad)
    assert status(running.job)["failedIndexes"] == "0"
    assert running.condition("FailureTarget") is None
    running.end("Succeeded", pod=good)
    assert running.condition("Failed") == ("FailedIndexes", "Job has failed indexes")
    assert status(running.job)["completedIndexes"] == "1"


def test_backoff_per_index_carries_its_count_to_the_replacement(world: Any) -> None:
    running = Running(
        world,
        completionMode="Indexed",
        completions=1,
        backoffLimitPerIndex=2,
        backoffLimit=100,
    )
    running.settle()
    running.end()
    assert running.wait == 10.0
    world.later(10)
    running.settle()
    (pod,) = running.active
    assert annotations(pod)["batch.kubernetes.io/job-index-failure-count"] == "1"
    running.end()
    assert running.wait == 20.0


def test_success_policy_ends_the_job_early(world: Any) -> None:
    running = Running(
        world,
        completionMode="Indexed",
        completions=3,
        parallelism=3,
        successPolicy={"rules": [{"succeededIndexes": "0-1", "succeededCount": 1}]},
    )
    running.settle()
    running.end("Succeeded", pod=running.active[0])
    assert running.condition("Complete") == ("SuccessPolicy", "Matched rules at index 0")


def test_a_job_managed_by_somebody_else_is_left_alone(world: Any) -> None:
    running = Running(world, managedBy="kueue.x-k8s.io/multikueue")
    assert running.step() == 0


def test_fewer_parallel_pods_deletes_those_that_have_not_started(world: Any) -> None:
    running = Running(world, completions=4, parallelism=2)
    running.settle()
    kept, dropped = running.active
    world.start(kept)
    running.set_spec(parallelism=1)
    assert [uid(p) for p in running.active] == [uid(kept)]
    assert world.get(dropped) is None
