"""Pods (pkg/registry/core/pod, with the admission plugins ServiceAccount, Priority and
DefaultTolerationSeconds)."""

from __future__ import annotations

import copy
from typing import Any

from pawl.api.quantity import parse
from pawl.local.api import errors, names
from pawl.local.api.fieldselectors import Getter
from pawl.local.api.kinds import podchecks, podspec
from pawl.local.api.kinds.base import Context, Obj
from pawl.local.api.kinds.builtin import BuiltinKind
from pawl.local.schema import causes
from pawl.local.schema.causes import Cause

_TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_TOLERATION_SECONDS = 300
_FIXED = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)


class PodKind(BuiltinKind):
    has_status = True
    generation = True
    returns_deleted = True
    graceful = True

    def __init__(self) -> None:
        super().__init__("", "v1", "Pod")

    def default(self, obj: Obj) -> None:
        podspec.default_pod(obj)

    def admit(self, context: Context, obj: Obj, old: Obj | None) -> None:
        if old is not None:
            return
        spec = obj["spec"]
        if not spec.get("serviceAccountName"):
            spec["serviceAccountName"] = spec["serviceAccount"] = "default"
        if spec.get("priorityClassName"):
            name = obj["metadata"].get("name", "")
            why = f"no PriorityClass with name {spec['priorityClassName']} was found"
            raise errors.forbidden("", "pods", name, why)
        spec["priority"] = 0
        spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
        tolerations = spec.setdefault("tolerations", [])
        for taint in _TOLERATED:
            if not any(_tolerates(one, taint) for one in tolerations):
                tolerations.append(
                    {
                        "key": taint,
                        "operator": "Exists",
                        "effect": "NoExecute",
                        "tolerationSeconds": _TOLERATION_SECONDS,
                    }
                )

    def initial_status(self, obj: Obj) -> Obj | None:
        status: Obj = {"phase": "Pending", "qosClass": qos_class(obj)}
        if obj["spec"].get("schedulingGates"):
            status["conditions"] = [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "SchedulingGated",
                    "message": "Scheduling is blocked due to non-empty scheduling gates",
                    "lastProbeTime": None,
                    "lastTransitionTime": None,
                }
            ]
        return status

    def prepare_status(self, context: Context, obj: Obj, old: Obj) -> None:
        status = obj.setdefault("status", {})
        if not status.get("qosClass"):
            status["qosClass"] = old["status"].get("qosClass", "BestEffort")
        for one, many in (("podIP", "podIPs"), ("hostIP", "hostIPs")):
            if status.get(one) and not status.get(many):
                status[many] = [{"ip": status[one]}]
        for condition in status.get("conditions") or ():
            for field in ("lastProbeTime", "lastTransitionTime"):
                condition.setdefault(field, None)

    def spec_of(self, obj: Obj) -> Any:
        """Being bound to a node is no change of the spec."""
        return {field: value for field, value in obj["spec"].items() if field != "nodeName"}

    def warnings(self, obj: Obj, old: Obj | None) -> list[str]:
        wrong = names.dns_label(obj["metadata"]["name"])
        if old is not None or not wrong:
            return []
        return [
            "metadata.name: this is used in the Pod's hostname, which can result in surprising "
            f"behavior; a DNS label is recommended: [{' '.join(wrong)}]"
        ]

    def validate(self, context: Context, obj: Obj) -> list[Cause]:
        return podchecks.validate_spec(obj["spec"], "spec")

    def validate_update(self, context: Context, obj: Obj, old: Obj) -> list[Cause]:
        if _comparable(obj["spec"]) == _comparable(old["spec"]):
            return []
        if bound(old["spec"], obj["spec"]):
            return []
        return [causes.forbidden("spec", _FIXED)]

    def grace(self, obj: Obj, asked: int | None) -> int:
        if not obj["spec"].get("nodeName"):
            return 0
        if obj.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            return 0
        period = asked
        if period is None:
            period = int(obj["spec"].get("terminationGracePeriodSeconds") or 0)
        return 1 if period < 0 else period

    def fields(self) -> dict[str, Getter]:
        def spec(name: str, default: str = "") -> Getter:
            return lambda obj: str(obj["spec"].get(name) or default)

        def status(name: str) -> Getter:
            return lambda obj: str(obj.get("status", {}).get(name, ""))

        return {
            "spec.nodeName": spec("nodeName"),
            "spec.restartPolicy": spec("restartPolicy"),
            "spec.schedulerName": spec("schedulerName"),
            "spec.serviceAccountName": spec("serviceAccountName"),
            "spec.hostNetwork": lambda obj: str(bool(obj["spec"].get("hostNetwork"))).lower(),
            "status.phase": status("phase"),
            "status.podIP": status("podIP"),
            "status.nominatedNodeName": status("nominatedNodeName"),
        }


def bound(old: Obj, new: Obj) -> bool:
    """Whether the only difference is that the pod was given its node (the binding)."""
    return not old.get("nodeName") and {**old, "nodeName": new.get("nodeName")} == new


def _tolerates(toleration: Obj, taint: str) -> bool:
    effect = toleration.get("effect", "")
    return toleration.get("key", "") in ("", taint) and effect in ("", "NoExecute")


def _comparable(spec: Obj) -> Obj:
    """The spec without what an update may change."""
    fixed = copy.deepcopy(spec)
    for container in podspec.containers(fixed):
        container.pop("image", None)
    for field in ("activeDeadlineSeconds", "tolerations", "schedulingGates"):
        fixed.pop(field, None)
    if fixed.get("terminationGracePeriodSeconds", 0) < 0:
        fixed["terminationGracePeriodSeconds"] = 1
    return fixed


def qos_class(pod: Obj) -> str:
    """Guaranteed: cpu and memory limits everywhere and requests equal; BestEffort: none at all."""
    spec = pod["spec"]
    requested = False
    guaranteed = True
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        amounts = {name: v for name, v in (limits | requests).items() if name in ("cpu", "memory")}
        requested = requested or bool(amounts)
        guaranteed = guaranteed and all(
            name in limits and _same(requests.get(name, limits[name]), limits[name])
            for name in ("cpu", "memory")
        )
    if not requested:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _same(a: str, b: str) -> bool:
    try:
        return parse(a) == parse(b)
    except ValueError:
        return False
