"""From container records to `pod.status`. Pure; the rules are the kubelet's.

Sources: pkg/kubelet/kubelet_pods.go (getPhase) and pkg/kubelet/status/generate.go (conditions).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pawl.local.node.states import Record, Terminated, Waiting, timestamp

Obj = dict[str, Any]

_OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")


@dataclass(frozen=True)
class Verdict:
    """Why the node itself ended the pod (DeadlineExceeded, …)."""

    reason: str
    message: str


@dataclass(frozen=True)
class Facts:
    """Everything that a status depends on besides the pod's spec."""

    records: Sequence[Record]
    host_ip: str
    pod_ip: str
    start: datetime
    sandbox: bool  # volumes are there and processes may start
    finished: bool = False  # no container runs or will run again
    verdict: Verdict | None = None


def restarts(record: Record, policy: str, code: int) -> bool:
    """Whether a container that ended with `code` is started again."""
    if record.role == "sidecar":
        return True
    if record.role == "init":
        return policy != "Never" and code != 0
    return policy == "Always" or (policy == "OnFailure" and code != 0)


def phase(records: Sequence[Record], *, finished: bool) -> str:
    """Pending, Running, Succeeded or Failed. `finished`: nothing runs or will run again.

    Finished phases come only with `finished`, so that they come together with everything else
    that is final: exit codes, messages, conditions.
    """
    inits = [r for r in records if r.role == "init"]
    mains = [r for r in records if r.role == "main"]
    if not all(map(_completed, inits)) or any(map(_never_ran, mains)):
        return "Failed" if finished else "Pending"
    if not finished:
        return "Running"
    return "Succeeded" if all(_code(r) == 0 for r in mains) else "Failed"


def build(pod: Obj, facts: Facts, now: datetime) -> Obj:
    """The whole new status. Conditions of others in the old one are kept."""
    old = pod.get("status") or {}
    current = phase(facts.records, finished=facts.finished)
    if facts.verdict is not None and facts.finished:
        current = "Failed"
    inits = [r for r in facts.records if r.role != "main"]
    status: Obj = {
        **{k: old[k] for k in ("qosClass", "nominatedNodeName", "resize") if k in old},
        "phase": current,
        "conditions": _conditions(pod, facts, current, now),
        "hostIP": facts.host_ip,
        "hostIPs": [{"ip": facts.host_ip}],
        "podIP": facts.pod_ip,
        "podIPs": [{"ip": facts.pod_ip}],
        "startTime": timestamp(facts.start),
    }
    if "generation" in pod["metadata"]:
        status["observedGeneration"] = pod["metadata"]["generation"]
    if inits:
        status["initContainerStatuses"] = [_container_status(r) for r in inits]
    status["containerStatuses"] = [_container_status(r) for r in facts.records if r.role == "main"]
    if facts.verdict is not None:
        status |= {"reason": facts.verdict.reason, "message": facts.verdict.message}
    return status


def _outcome(record: Record) -> Terminated | None:
    return record.state if isinstance(record.state, Terminated) else record.last


def _code(record: Record) -> int | None:
    outcome = _outcome(record)
    return None if outcome is None else outcome.code


def _never_ran(record: Record) -> bool:
    return isinstance(record.state, Waiting) and record.last is None


def _completed(record: Record) -> bool:
    return isinstance(record.state, Terminated) and record.state.code == 0


def _container_status(record: Record) -> Obj:
    spec = record.spec
    status: Obj = {
        "name": record.name,
        "state": record.state.render(),
        "lastState": record.last.render() if record.last is not None else {},
        "ready": _is_ready(record),
        "restartCount": record.restarts,
        "image": spec["image"],
        "imageID": f"pawl.local/{spec['image']}" if record.container_id else "",
        "started": record.started,
    }
    if record.container_id:
        status["containerID"] = record.container_id
    if spec.get("resources"):
        status["resources"] = spec["resources"]
        if spec["resources"].get("requests"):
            status["allocatedResources"] = spec["resources"]["requests"]
    return status


def _is_ready(record: Record) -> bool:
    """An init container is ready when it has completed."""
    return _completed(record) if record.role == "init" else record.ready


def _conditions(pod: Obj, facts: Facts, current: str, now: datetime) -> list[Obj]:
    old = {c["type"]: c for c in (pod.get("status") or {}).get("conditions") or ()}
    containers = _containers_ready(facts, current)
    found = {
        "PodReadyToStartContainers": _condition(facts.sandbox and not facts.finished),
        "Initialized": _initialized(facts, current),
        "Ready": _pod_ready(pod, containers, old),
        "ContainersReady": containers,
    }
    result = []
    for kind in _OWN_CONDITIONS:
        condition = {"type": kind, **found[kind]}
        if "generation" in pod["metadata"]:
            condition["observedGeneration"] = pod["metadata"]["generation"]
        before = old.get(kind)
        same = before is not None and before.get("status") == condition["status"]
        condition["lastProbeTime"] = None
        condition["lastTransitionTime"] = (
            before["lastTransitionTime"] if before is not None and same else timestamp(now)
        )
        result.append(condition)
    if "PodScheduled" not in old:  # it was created with its node
        scheduled = {"type": "PodScheduled", **_condition(True), "lastProbeTime": None}
        result.append({**scheduled, "lastTransitionTime": timestamp(now)})
    return result + [c for kind, c in old.items() if kind not in _OWN_CONDITIONS]


def _condition(true: bool, reason: str = "", message: str = "") -> Obj:
    texts = {"reason": reason, "message": message}
    return {"status": str(true), **{key: text for key, text in texts.items() if text}}


def _initialized(facts: Facts, current: str) -> Obj:
    if current == "Succeeded":
        return _condition(True, "PodCompleted")
    mains = [r for r in facts.records if r.role == "main"]
    if any(r.container_id for r in mains):
        return _condition(True)
    incomplete = [
        r.name
        for r in facts.records
        if (r.role == "init" and not _completed(r)) or (r.role == "sidecar" and not r.started)
    ]
    if incomplete:
        message = f"containers with incomplete status: [{' '.join(incomplete)}]"
        return _condition(False, "ContainersNotInitialized", message)
    return _condition(True)


def _containers_ready(facts: Facts, current: str) -> Obj:
    if current == "Succeeded":
        return _condition(False, "PodCompleted")
    if current == "Failed":
        return _condition(False, "PodFailed")
    unready = [r.name for r in facts.records if r.role != "init" and not r.ready]
    if unready:
        message = f"containers with unready status: [{' '.join(unready)}]"
        return _condition(False, "ContainersNotReady", message)
    return _condition(True)


def _pod_ready(pod: Obj, containers: Obj, old: Mapping[str, Obj]) -> Obj:
    if containers["status"] != "True":
        return dict(containers)
    problems = []
    for gate in pod["spec"].get("readinessGates") or ():
        kind = gate["conditionType"]
        value = old[kind].get("status") if kind in old else None
        if value is None:
            problems.append(
                f'corresponding condition of pod readiness gate "{kind}" does not exist.'
            )
        elif value != "True":
            problems.append(f'the status of pod readiness gate "{kind}" is not "True", but {value}')
    if problems:
        return _condition(False, "ReadinessGatesNotReady", ", ".join(problems))
    return _condition(True)
