"""Ends pods that are deleted before they had a node: no kubelet ends them, and a Job keeps a pod by
a finalizer until it has ended (gcUnscheduledTerminating in pkg/controller/podgc/gc_controller.go,
which looks every 20 s; this one acts at once).
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from pawl.local.api.registry import Registry
from pawl.local.controllers import pods as pod_rules
from pawl.local.controllers.changes import Patch, Plan, Shell
from pawl.local.controllers.objects import Key, Obj, key_of, spec


def plan_end(pod: Obj) -> Plan:
    """It has failed, without having run."""
    if spec(pod).get("nodeName") or not pod_rules.is_terminating(pod):
        return Plan()
    return Plan((Patch("pods", pod, {"status": {"phase": "Failed"}}, subresource="status"),))


class PodGc:
    name = "podgc"

    def __init__(self, registry: Registry) -> None:
        self._shell = Shell(registry, "pod-garbage-collector")

    @property
    def watches(self) -> Mapping[str, Callable[[Obj], Iterable[Key]]]:
        return {"pods": lambda pod: [key_of(pod)] if plan_end(pod).changes else []}

    def reconcile(self, key: Key, now: datetime) -> None:
        pod = self._shell.find("pods", key)
        if pod is not None:
            self._shell.apply(plan_end(pod).changes)
