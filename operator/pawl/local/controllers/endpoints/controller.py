"""The shell around the planners of EndpointSlices and Endpoints."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from pawl.local.api.registry import Registry
from pawl.local.controllers.changes import Shell
from pawl.local.controllers.endpoints import legacy, slices
from pawl.local.controllers.objects import Key, Obj, key_of, labels, matches, namespace, spec, uid


class EndpointsController:
    name = "endpoints"

    def __init__(self, registry: Registry) -> None:
        self._shell = Shell(registry, "endpointslice-controller")
        self._services: dict[str, frozenset[Key]] = {}

    @property
    def watches(self) -> Mapping[str, Callable[[Obj], Iterable[Key]]]:
        return {
            "services": lambda service: [key_of(service)],
            "pods": self._of_pod,
            slices.RESOURCE: _of_slice,
        }

    def reconcile(self, key: Key, now: datetime) -> None:
        service = self._shell.find("services", key)
        if service is None or not slices.has_selector(service):
            return
        selector = {"matchLabels": spec(service)["selector"]}
        registry = self._shell.registry
        pods = [
            pod for pod in registry.list("pods", key.namespace) if matches(selector, labels(pod))
        ]
        mine = f"{slices.SERVICE_NAME}={key.name},{slices.MANAGED_BY}={slices.MANAGER}"
        existing = registry.list(slices.RESOURCE, key.namespace, labels=mine)
        self._shell.apply(slices.plan_slices(service, pods, existing, now))
        current = self._shell.find(legacy.RESOURCE, key)
        self._shell.apply(legacy.plan_endpoints(service, pods, current, now))

    def _of_pod(self, pod: Obj) -> Iterable[Key]:
        """Services that select the pod now, and those that did when it last changed."""
        before = self._services.pop(uid(pod), frozenset())
        selecting = frozenset(
            key_of(service)
            for service in self._shell.registry.list("services", namespace(pod))
            if slices.has_selector(service)
            and matches({"matchLabels": spec(service)["selector"]}, labels(pod))
        )
        if selecting and self._shell.find("pods", key_of(pod)) is not None:
            self._services[uid(pod)] = selecting
        return before | selecting


def _of_slice(one: Obj) -> list[Key]:
    service = labels(one).get(slices.SERVICE_NAME)
    ours = labels(one).get(slices.MANAGED_BY) == slices.MANAGER
    return [Key(namespace(one), service)] if service and ours else []
