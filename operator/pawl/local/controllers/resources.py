"""What pods ask for and nodes have (component-helpers/resource PodRequests)."""

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

from pawl.api.quantity import parse
from pawl.local.controllers.objects import Obj, spec, uid
from pawl.local.controllers.pods import is_finished

Amounts = dict[str, Fraction]
PODS = "pods"  # a node's capacity of pods

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


def demands(pod: Obj) -> Amounts:
    """Requests, and the place that a pod takes among the pods of a node."""
    return {**pod_requests(pod), PODS: Fraction(1)}


class Ledger:
    """What the unfinished pods of each node have asked for, kept up as pods come and go."""

    def __init__(self) -> None:
        self.used: dict[str, Amounts] = {}
        self._entries: dict[str, tuple[str, Amounts]] = {}

    def enter(self, pod: Obj, live: Obj | None) -> None:
        """`live` is what the pod is now; None: it is gone."""
        node = str(spec(live).get("nodeName", "")) if live is not None else ""
        if live is not None and (is_finished(live) or not node):
            live = None
        if live is None:
            entry = self._entries.pop(uid(pod), None)
            if entry is not None:
                add(self.used[entry[0]], {r: -amount for r, amount in entry[1].items()})
        elif uid(pod) not in self._entries:
            self._entries[uid(pod)] = (node, demands(live))
            add(self.used.setdefault(node, {}), self._entries[uid(pod)][1])
