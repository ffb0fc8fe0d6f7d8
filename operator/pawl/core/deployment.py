"""Plans a Deployment: which version is wanted, its children, and one step of the rollout.

Children: per version an apps/v1 Deployment and a headless Service (and an autoscaler), and one
router (apps/v1 Deployment, ConfigMap, Service). The published route is an annotation of the
router's ConfigMap, so the rollout goes on from what is, also after `.status` was lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from pawl import constants as c
from pawl.api.deployment import (
    Deployment,
    DeploymentStatus,
    HistoryEntry,
    ServedVersion,
    Traffic,
)
from pawl.api.names import version_name
from pawl.core import rollout, run_status
from pawl.core.conditions import Conditions, invalid_status, timestamp
from pawl.core.installation import Installation
from pawl.core.plan import Draft, Event, MergePatch, Plan, RecordDecision
from pawl.core.routing.route import Route
from pawl.core.routing.state import RouterState
from pawl.core.serving_children import Children
from pawl.core.target import Target, resolve
from pawl.core.versions import read_versions

Object = Mapping[str, Any]
_POLL = 1.0  # while a rollout is under way: router states are not watched but asked for
_WATCH = 60.0
_TOUCH = 5.0


@dataclass(frozen=True)
class DeploymentObserved:
    """All that is looked at. `routers` are the states of the ready router pods; `service` is the
    Service that has our name, whoever made it."""

    object: Object
    versions: tuple[Object, ...] = ()
    servers: tuple[Object, ...] = ()
    services: tuple[Object, ...] = ()
    autoscalers: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    config_map: Object | None = None
    service: Object | None = None
    routers: tuple[RouterState, ...] = ()


@dataclass
class _Work:
    """What one planning pass has in hand."""

    observed: DeploymentObserved
    deployment: Deployment
    children: Children
    conditions: Conditions
    now: datetime
    draft: Draft = field(default_factory=Draft)
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def stable(self) -> ServedVersion | None:
        """What must go on being served: by status, else by the published route."""
        if self.deployment.status.stable is not None:
            return self.deployment.status.stable
        current = next((b.version for b in self.children.route.backends if b.weight), None)
        return self.children.served(current) if current is not None else None


def plan_deployment(
    observed: DeploymentObserved, installation: Installation, now: datetime
) -> Plan:
    """The plan for a Deployment."""
    item = observed.object
    try:
        deployment = Deployment.model_validate(item)
    except ValidationError as error:
        old = DeploymentStatus.model_validate(item.get("status") or {})
        return Plan(invalid_status(old, item, error, now))
    generation = item["metadata"].get("generation", 0)
    children = Children(
        item,
        deployment.spec,
        observed.servers,
        observed.services,
        observed.autoscalers,
        observed.config_map,
        installation,
    )
    conditions = Conditions(deployment.status.conditions, generation=generation, now=now)
    work = _Work(observed, deployment, children, conditions, now)
    work.values = dict(deployment.status) | {
        "observed_generation": generation,
        "url": _url(item, deployment, installation),
    }
    target = _target(work)
    if target.version is not None:
        step = _roll(work, target.version)
        _tell(work, target, target.version, step)
    else:
        _tell_waiting(work, target)
    status = DeploymentStatus(**work.values | {"conditions": conditions.all()})
    return work.draft.finish(status.render())


def _target(work: _Work) -> Target:
    service, meta = work.observed.service, work.observed.object["metadata"]
    owners = service["metadata"].get("ownerReferences", []) if service is not None else []
    if service is not None and all(owner["uid"] != meta["uid"] for owner in owners):
        message = f"a Service {meta['name']} of somebody else is in the way; rename one of the two"
        return Target(None, "NameTaken", message, True)
    spec = work.deployment.spec
    return resolve(spec, work.stable, read_versions(work.observed.versions, spec.model))


def _roll(work: _Work, target: ServedVersion) -> rollout.Step:
    """Plans the children for one step of the rollout."""
    route = work.children.route
    step = rollout.step(
        rollout.Rollout(
            target=target.version,
            weights=route.weights,
            clusters_revision=route.clusters_revision,
            routes_revision=route.routes_revision,
            pods=work.children.pods(target.version),
            routers=work.observed.routers,
        )
    )
    work.draft.actions += work.children.actions(target, step)
    work.draft.actions += _refresh(work, route)
    work.draft.requeue(_WATCH if step.phase == "Serving" else _POLL)
    return step


def _refresh(work: _Work, route: Route) -> list[MergePatch]:
    """A kubelet refreshes ConfigMap volumes within a minute or more, but at once when the pod
    changes: routers that lag behind the published route are touched, every few seconds anew."""
    wanted = f"{route.clusters_revision}-{route.routes_revision}"
    touch = f"{wanted}-{int(work.now.timestamp() / _TOUCH)}"
    namespace = work.observed.object["metadata"]["namespace"]
    patch = {"metadata": {"annotations": {c.ANNOTATION_REFRESH: touch}}}
    return [
        MergePatch("v1", "Pod", namespace, router.pod, patch)
        for router in work.observed.routers
        if f"{router.clusters_revision}-{router.routes_revision}" != wanted
        and router.touched != touch
    ]


def _tell(work: _Work, target: Target, wanted: ServedVersion, step: rollout.Step) -> None:
    """Status and events of a pass that has a version to serve."""
    told = stable = work.deployment.status.stable
    if told is None and step.serving is not None:  # the status was lost in mid-rollout
        stable = work.children.served(step.serving)
    if step.serving == wanted.version and (told is None or told.digest != wanted.digest):
        stable = wanted.model_copy(update={"since": timestamp(work.now)})
        _record(work, told, stable)
    shown = stable or wanted
    pods = work.children.pods(wanted.version).get(shown.version, rollout.Pods(0, 0))
    work.values |= {
        "stable": stable,
        "candidate": wanted if stable is None or stable.name != wanted.name else None,
        "phase": "Stalled" if target.stalled else step.phase,
        "replicas": pods.wanted,
        "ready_replicas": pods.ready,
    }
    if step.serving is not None:
        work.values["traffic"] = _traffic(work, stable)
    available = stable is not None and pods.ready > 0 and bool(work.observed.routers)
    message = step.message + _trouble(work, wanted, step.phase)
    work.conditions.set("Available", available, "Serving" if available else step.phase, message)
    _judge(work, target, ready=available, reason=step.phase, message=message)


def _tell_waiting(work: _Work, target: Target) -> None:
    """Status and events of a pass that has nothing to serve."""
    work.values["phase"] = "Stalled" if target.stalled else "Waiting"
    work.conditions.set("Available", False, target.reason, target.message)
    work.draft.requeue(_WATCH)
    _judge(work, target, ready=False, reason=target.reason, message=target.message)


def _judge(work: _Work, target: Target, *, ready: bool, reason: str, message: str) -> None:
    """Ready, Reconciling, Stalled; an event when it stalls for a new reason."""
    if not target.stalled:
        work.conditions.accept(ready=ready, reason=reason, message=message)
        return
    before = next((x for x in work.deployment.status.conditions if x.type == "Stalled"), None)
    if before is None or before.reason != target.reason:
        work.draft.events.append(Event(target.reason, target.message, "Warning"))
    work.conditions.stall(target.reason, target.message)


def _record(work: _Work, before: ServedVersion | None, stable: ServedVersion) -> None:
    """A version became the served one: history, event, decision record."""
    spec, meta = work.deployment.spec, work.observed.object["metadata"]
    back = before is not None and stable.version < before.version
    reason = "RolledBack" if back else ("Promoted" if spec.version == "latest" else "Pinned")
    at = timestamp(work.now)
    entry = HistoryEntry(version=stable.name, at=at, reason=reason)
    work.values["history"] = (entry, *work.deployment.status.history)[:10]
    message = f"{stable.name} gets all requests" + (f" instead of {before.name}" if before else "")
    work.draft.events.append(Event(reason, message))
    content = {
        "deployment": meta["name"],
        "version": stable.name,
        "digest": stable.digest,
        "replaced": before.name if before else None,
        "reason": reason,
        "at": at,
    }
    name = f"{at}-{meta['name']}-{stable.name}"
    work.draft.actions.append(RecordDecision(meta["namespace"], spec.model, name, content))


def _traffic(work: _Work, stable: ServedVersion | None) -> tuple[Traffic, ...]:
    return tuple(
        Traffic(
            version=version_name(work.deployment.spec.model, version),
            role="stable" if stable is not None and version == stable.version else "candidate",
            weight=weight,
        )
        for version, weight in sorted(work.children.route.weights.items())
        if weight
    )


def _trouble(work: _Work, wanted: ServedVersion, phase: rollout.Phase) -> str:
    """Why pods that the phase waits for do not get ready, in their own words."""
    if phase == "Starting":
        pods = _labelled(work, c.LABEL_VERSION, str(wanted.version))
    elif not work.observed.routers:
        pods = _labelled(work, c.LABEL_ROLE, c.ROLE_ROUTER)
    else:
        return ""
    blocked = run_status.blocked(run_status.newest(pods))
    words = blocked.message if blocked is not None else run_status.last_words(pods)
    return f": {words}" if words else ""


def _labelled(work: _Work, label: str, value: str) -> list[Object]:
    pods = work.observed.pods
    return [pod for pod in pods if pod["metadata"]["labels"].get(label) == value]


def _url(item: Object, deployment: Deployment, installation: Installation) -> str:
    meta = item["metadata"]
    host = f"{meta['name']}.{meta['namespace']}.svc.{installation.cluster_domain}"
    return f"http://{host}:{c.ROUTER_PORT}/v2/models/{deployment.spec.model}"
