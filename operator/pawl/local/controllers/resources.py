"""What pods ask for and nodes have (component-helpers/resource PodRequests)."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache

from pawl.local.api.kinds.quantity import parse
from pawl.local.controllers.objects import Obj, spec

Amounts = dict[str, Fraction]

quantity = lru_cache(maxsize=1024)(parse)  # the same few quantities are in every pod


def quantities(amounts: Mapping[str, str | float] | None) -> Amounts:
    return {name: quantity(text) for name, text in (amounts or {}).items()}


def add(into: Amounts, other: Mapping[str, Fraction]) -> None:
    for name, amount in other.items():
        into[name] = into.get(name, Fraction(0)) + amount


def pod_requests(pod: Obj) -> Amounts:
    """The most that the pod needs at one time: its containers together, or one init container.

    Init containers that restart always (sidecars) keep what they have while the rest runs.
    """
    total: Amounts = {}
    for container in spec(pod).get("containers") or ():
        add(total, _requests(container))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec(pod).get("initContainers") or ():
        needed = dict(sidecars)
        add(needed, _requests(container))
        if container.get("restartPolicy") == "Always":
            add(sidecars, _requests(container))
        peak = {k: max(peak.get(k, Fraction(0)), needed.get(k, Fraction(0))) for k in peak | needed}
    add(total, sidecars)
    total = {k: max(total.get(k, Fraction(0)), peak.get(k, Fraction(0))) for k in total | peak}
    add(total, quantities(spec(pod).get("overhead")))
    return total


def _requests(container: Obj) -> Amounts:
    return quantities((container.get("resources") or {}).get("requests"))


def used(pods: Iterable[Obj]) -> Amounts:
    total: Amounts = {}
    for pod in pods:
        add(total, pod_requests(pod))
    return total
