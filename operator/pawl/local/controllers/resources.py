"""Resource quantities, and what pods ask for and nodes have left.

Source: apimachinery resource.Quantity; component-helpers/resource PodRequests.
"""

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache

from pawl.local.controllers.objects import Obj, spec

Amounts = dict[str, Fraction]

_QUANTITY = re.compile(r"([+-]?[0-9.]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?")
_SUFFIX = {
    **{s: Fraction(10) ** e for s, e in zip("num", (-9, -6, -3), strict=True)},
    **{s: Fraction(10) ** e for s, e in zip("kMGTPE", range(3, 21, 3), strict=True)},
    **{f"{s}i": Fraction(2) ** e for s, e in zip("KMGTPE", range(10, 70, 10), strict=True)},
}


@lru_cache(maxsize=1024)  # the same few quantities are in every pod
def quantity(text: str | float) -> Fraction:
    """The number that a quantity ("100m", "1.5Gi", "2e3", 4) stands for. ValueError if none."""
    found = _QUANTITY.fullmatch(str(text))
    if found is None:
        raise ValueError(f"not a quantity: {text!r}")
    number, suffix = Fraction(found[1]), found[2] or ""
    if suffix[:1] in {"e", "E"} and len(suffix) > 1 and suffix != "Ei":
        return number * Fraction(10) ** int(suffix[1:])
    return number * _SUFFIX.get(suffix, Fraction(1))


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
