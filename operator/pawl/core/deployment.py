"""Plans a Deployment: which version is wanted, one step of its rollout, and the children for it.

Children: per version an apps/v1 Deployment and a headless Service (and an autoscaler), and what
stands in front of them (`core.front`). The published route, and what must outlive `.status`, are
annotations there, so the rollout goes on from what is.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pydantic import ValidationError

from pawl import constants as c
from pawl.api.deployment import Deployment, DeploymentStatus, ServedVersion
from pawl.api.names import version_number
from pawl.api.rollout_status import RolledBack, RolloutStatus
from pawl.core import capturing, failures, gates, pace, recall, rollout, shift, transitions
from pawl.core.conditions import Conditions, timestamp
from pawl.core.deployment_status import Outcome, Report
from pawl.core.deployment_watch import close_loop, decayed
from pawl.core.deployment_work import DeploymentObserved, Work
from pawl.core.front import front
from pawl.core.installation import Installation
from pawl.core.invalid import plan_invalid
from pawl.core.plan import Action, Create, MergePatch, Plan
from pawl.core.refused import refused
from pawl.core.serving_children import Children, Memory, deletion
from pawl.core.target import Target, resolve
from pawl.core.versions import read_versions

__all__ = ["DeploymentObserved", "plan_deployment"]

_TOUCH = 5.0
_GONE = 1.0


def plan_deployment(
    observed: DeploymentObserved, installation: Installation, now: datetime
) -> Plan:
    """The plan for a Deployment."""
    item = observed.object
    try:
        deployment = Deployment.model_validate(item)
    except ValidationError as error:
        old = DeploymentStatus.model_validate(item.get("status") or {})
        return plan_invalid(old, item, error, now)
    generation = item["metadata"].get("generation", 0)
    namespace = item["metadata"]["namespace"]
    spec, uncaptured = capturing.allowed(deployment.spec, namespace, installation.uris)
    deployment = deployment.model_copy(update={"spec": spec})
    entrance = front(item, spec, observed.front, installation)
    children = Children(
        item,
        spec,
        observed.servers,
        observed.services,
        observed.autoscalers,
        entrance,
        installation,
    )
    status = deployment.status
    memory = Memory(status.stable, status.rolled_back)
    if status.stable is None:
        memory = _remembered(observed, children, generation)
    recorded = observed.recorded or recall.Recorded()
    lost = recall.missing(recorded.versions, observed.versions)
    versions = read_versions((*observed.versions, *lost), spec.model)
    work = Work(observed, deployment, children, entrance, memory, versions, now, uncaptured)
    sentence = decayed(work, status.drift, memory.stable) if memory.stable is not None else ""
    if sentence and memory.stable is not None:
        work.memory = _without(work, memory.stable, sentence)
    conditions = Conditions(status.conditions, generation=generation, now=now)
    report = Report(item, deployment, conditions, observed.pods, now, work.draft)
    target = _target(work)
    work.draft.actions += [Create(item) for item in lost]
    if target.version is not None:
        _serve(work, report, target, target.version)
    else:
        report.waiting(target)
        work.draft.requeue(pace.WATCH)
    work.draft.events += transitions.events(conditions)
    report.requested(installation)
    told = report.status(entrance.url(), _standing(work))
    if pace.stands(told) != pace.stands(status):
        work.draft.requeue(0.0)  # what follows from it may be done at once
    return work.draft.finish(told.render())


def _remembered(observed: DeploymentObserved, children: Children, generation: int) -> Memory:
    """What the cluster remembers of a Deployment without a status, else what the store does."""
    memory = children.memory
    if memory == Memory() and observed.recorded is not None:
        return recall.recall(observed.recorded.log, generation)
    return memory


def _without(work: Work, stable: ServedVersion, why: str) -> Memory:
    """The stable version is not to be served any more: as if its rollout had been rolled back."""
    if work.decayed:
        return work.memory
    earlier = work.failures(stable.name)
    entry = RolledBack(
        version=stable.name,
        digest=stable.digest,
        attempt=max((entry.attempt for entry in earlier), default=0) + 1,
        generation=work.meta.get("generation", 0),
        approval=work.approvals.get(stable.name, ""),
        at=timestamp(work.now),
        reason=failures.DECAYED,
        message=why[:500],
    )
    return Memory(work.memory.stable, failures.remember(work.memory.rolled_back, entry))


def _standing(work: Work) -> str:
    """What stands in front. An HTTPRoute does until it is gone: only what the status tells of is
    looked for."""
    left = any(item["kind"] == "HTTPRoute" for item in work.observed.front.leftovers)
    return "Gateway" if left or work.deployment.spec.routing.gateway else "Envoy"


def _target(work: Work) -> Target:
    recorded = work.observed.recorded
    if recorded is not None and recorded.error is not None:
        text = f"whether a version was served before is not known: {recorded.error}"
        return Target(None, "StoreUnreachable", text)
    problem = work.front.problem()
    if problem is not None:
        stable = work.stable if problem.serves else None
        return Target(stable, problem.reason, problem.message, True)
    missing = refused(work)
    if missing is not None:
        return Target(work.stable, *missing, stalled=True)
    served = tuple(entry.version for entry in work.deployment.status.history)
    history = served if work.decayed else None
    return resolve(work.deployment.spec, work.stable, work.versions, work.withdrawn, history)


def _serve(work: Work, report: Report, target: Target, version: ServedVersion) -> None:
    """One step: what is wanted of the traffic, the children for it, and what is said of it."""
    turn, situation = _turn(work, version)
    step = shift.step(situation)
    stable = turn.promoted or work.stable
    if turn.returned_to is not None:
        stable = work.children.served(turn.returned_to)
    memory, capacity = _remember(work, turn), work.capacity(turn.wanted)
    known = work.memory.stable  # else it may not serve yet
    outcome = Outcome(
        target=target,
        wanted=version,
        stable=stable if step.confirmed or turn.promoted or known is not None else None,
        turn=turn,
        step=step,
        route=work.children.route,
        pods=capacity.pods(),
        routers=len(work.routers),
        memory=memory,
    )
    report.serving(outcome)
    served = report.values["stable"]
    if served is not None:
        report.values |= close_loop(work, report.conditions, served)
        capturing.tell(
            report.conditions,
            work.deployment.spec.capture,
            served.name,
            work.versions,
            work.uncaptured,
        )
    salt = rollout.salt(work.meta["uid"], turn.state) if turn.state else ""
    route = work.children.following(step.weights, step.shadow, salt)
    kept = _kept(work, turn.wanted, version, step.removable)
    # What is decided is recorded before it is acted on (see docs/concepts.md).
    work.draft.actions += work.children.actions(kept, capacity, route, memory, step.removable)
    work.draft.actions += _refresh(work)
    if step.confirmed:  # the front that was there before the spec asked for another one
        leftovers = work.observed.front.leftovers
        work.draft.actions += [deletion(item) for item in leftovers]
        if leftovers:
            work.draft.requeue(_GONE)  # HTTPRoutes are not watched: nobody tells that one is gone
    work.draft.requeue(pace.pause(step, turn.state, work.now))


def _turn(work: Work, target: ServedVersion) -> tuple[rollout.Turn, shift.Situation]:
    """What the rollout wants, knowing whether every router does already what it wanted last."""
    status, generation = work.deployment.status, work.meta.get("generation", 0)
    state = status.rollout
    broken = ""
    if state is not None:
        state, broken = _measured(work, state)
    earlier = work.failures(target.name)
    seen = rollout.Observation(
        spec=work.deployment.spec.rollout,
        stable=work.stable,
        target=target,
        state=state,
        confirmed=False,
        now=work.now,
        uid=work.meta["uid"],
        generation=generation,
        approval=work.approvals.get(state.candidate if state else target.name, ""),
        attempt=max((entry.attempt for entry in earlier), default=0) + 1,
        broken=broken,
        commands=work.commands,
    )
    turn = rollout.advance(seen)
    situation = work.situation(turn.wanted)
    if shift.step(situation).confirmed:
        turn = rollout.advance(replace(seen, confirmed=True))
        situation = work.situation(turn.wanted)
    return turn, situation


def _measured(work: Work, state: RolloutStatus) -> tuple[RolloutStatus, str]:
    """The state with what was measured since, and why the candidate is beyond statistics."""
    spec = work.deployment.spec.rollout
    if spec is None or state.phase == "RollingBack":
        return state, ""
    routers = work.observed.front.routers if work.front.counts else None
    state = gates.fold(
        state, spec, work.observed.measured, routers, work.children.route, work.offline(state)
    )
    pods = gates.of_version(work.observed.pods, version_number(state.candidate))
    return state, gates.broken(state, pods)


def _kept(
    work: Work, wanted: shift.Wanted, target: ServedVersion, removable: frozenset[int]
) -> dict[int, ServedVersion]:
    """The versions that must have pods."""
    kept = {target.version: target} if target.version in wanted.versions else {}
    known = [work.stable, *(work.children.served(number) for number in work.children.by_version)]
    for served in known:
        if served is not None and served.version not in removable:
            kept.setdefault(served.version, served)
    return kept


def _remember(work: Work, turn: rollout.Turn) -> Memory:
    """What outlives the status: failures, newest first."""
    entries = work.memory.rolled_back
    if turn.rolled_back is not None:
        entries = failures.remember(entries, turn.rolled_back)
    return Memory(work.memory.stable, entries)


def _refresh(work: Work) -> list[Action]:
    """A kubelet refreshes ConfigMap volumes within a minute or more, but at once when the pod
    changes: routers that lag behind the published route are touched, every few seconds anew."""
    route = work.children.route
    wanted = f"{route.clusters_revision}-{route.routes_revision}"
    touch = f"{wanted}-{int(work.now.timestamp() / _TOUCH)}"
    patch = {"metadata": {"annotations": {c.ANNOTATION_REFRESH: touch}}}
    return [
        MergePatch("v1", "Pod", work.meta["namespace"], router.pod, patch)
        for router in work.observed.front.routers
        if f"{router.clusters_revision}-{router.routes_revision}" != wanted
        and router.touched != touch
    ]
