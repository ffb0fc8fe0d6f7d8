"""What holds for every Job, whatever its pods do and in whatever order it hears of it."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.local.controllers import pods as pod_rules
from pawl.local.controllers.job.backoff import Backoff
from pawl.local.controllers.job.facts import Observed
from pawl.local.controllers.job.plan import plan_job
from pawl.local.controllers.job.spec import completion_index, is_finished
from pawl.local.controllers.objects import Obj, deleting, status

STEPS = st.lists(st.tuples(st.sampled_from(["ok", "fail", "start", "delete"]), st.randoms()))


def job(completions: int, parallelism: int, indexed: bool, limit: int) -> Obj:
    spec = {
        "completions": completions,
        "parallelism": parallelism,
        "completionMode": "Indexed" if indexed else "NonIndexed",
        "backoffLimit": limit,
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main"}]}},
    }
    return {"metadata": {"name": "j"}, "spec": spec}


def happen(world: Any, what: str, pod: Obj) -> None:
    if what == "delete":
        world.delete(pod)
    elif what == "start" and pod_rules.phase(pod) == "Pending" and not deleting(pod):
        world.start(pod)
    elif what in {"ok", "fail"} and not pod_rules.is_finished(pod):
        phase = "Succeeded" if what == "ok" and not deleting(pod) else "Failed"
        world.end(pod, phase, 0 if phase == "Succeeded" else 1)


@settings(max_examples=150, deadline=None)
@given(
    completions=st.integers(1, 5),
    parallelism=st.integers(0, 4),
    indexed=st.booleans(),
    limit=st.integers(0, 3),
    steps=STEPS,
)
def test_a_job_stays_within_its_limits_and_counts_every_pod_once(
    new_world: Any, completions: int, parallelism: int, indexed: bool, limit: int, steps: list[Any]
) -> None:
    world = new_world()
    own = world.add("batch/jobs", job(completions, parallelism, indexed, limit))
    backoff, succeeded, seen = Backoff(), set(), set()
    for what, random in [*steps, *[("start", None)] * 3]:
        for _ in range(3):
            live = world.get(own)
            plan = plan_job(Observed(live, tuple(world.list("pods")), backoff), world.now)
            backoff = plan.backoff
            world.apply(plan.changes)
            pods = world.list("pods")
            active = [p for p in pods if pod_rules.is_active(p)]
            assert len(active) <= parallelism
            if indexed:
                taken = [completion_index(p) for p in active]
                assert len(taken) == len(set(taken))
            state = status(world.get(own))
            assert state.get("succeeded", 0) <= completions
            assert len(active) + state.get("succeeded", 0) <= completions
            if is_finished(world.get(own)):
                assert not active
        counted = status(world.get(own)).get("succeeded", 0)
        if not indexed:
            assert counted <= len(succeeded)
        pods = world.list("pods")
        seen |= {p["metadata"]["uid"] for p in pods}
        if pods and random is not None:
            pod = random.choice(pods)
            happen(world, what, pod)
            live = world.get(pod)
            if live is not None and pod_rules.phase(live) == "Succeeded":
                succeeded.add(live["metadata"]["uid"])
        world.later(700)
    final = status(world.get(own))
    assert final.get("succeeded", 0) + final.get("failed", 0) <= len(seen)
    if not indexed:
        assert final.get("succeeded", 0) == len(succeeded)
