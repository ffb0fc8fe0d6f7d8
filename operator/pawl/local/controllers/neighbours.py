"""Whether a pod may be on a node beside the pods that are there: topology spread, pod affinity and
anti-affinity, as far as they are required (pkg/scheduler/framework/plugins/podtopologyspread and
interpodaffinity). Preferences change nothing where there is one node. Of a term's namespaces those
that it names count, else the pod's own; `namespaceSelector` is not looked at.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from pawl.local.controllers.objects import Obj, labels, matches, name, namespace, spec

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_SPREAD = "node(s) didn't match pod topology spread constraints"
_AFFINITY = "node(s) didn't match pod affinity rules"
_ANTI = "node(s) didn't match pod anti-affinity rules"
_EXISTING = "node(s) didn't satisfy existing pods anti-affinity rules"


def misfit(
    pod: Obj, node: Obj, nodes: Sequence[Obj], placed: Sequence[Obj]
) -> tuple[str, bool] | None:
    """Why the pod does not fit, and whether it would if others left. `placed` are the pods that
    are on nodes and not finished."""
    domains = {name(each): labels(each) for each in nodes}
    for constraint in spec(pod).get("topologySpreadConstraints") or ():
        if constraint["whenUnsatisfiable"] == "DoNotSchedule":
            key = constraint["topologyKey"]
            if key not in labels(node):
                return f"{_SPREAD} (missing required label)", False
            if not _is_even(constraint, pod, labels(node)[key], domains, placed):
                return _SPREAD, True
    if not _has_company(pod, node, domains, placed):
        return _AFFINITY, False
    if any(
        _beside(term, pod, other, node, domains)
        for term in _terms(pod, "podAntiAffinity")
        for other in placed
    ):
        return _ANTI, True
    if any(
        _meant(term, other, pod) and _together(term, other, node, domains)
        for other in placed
        for term in _terms(other, "podAntiAffinity")
    ):
        return _EXISTING, True
    return None


def _is_even(
    constraint: Obj, pod: Obj, here: str, domains: dict[str, dict[str, str]], placed: Iterable[Obj]
) -> bool:
    key = constraint["topologyKey"]
    counts = Counter({found[key]: 0 for found in domains.values() if key in found})
    for other in placed:
        domain = domains.get(spec(other)["nodeName"], {}).get(key)
        if domain is not None and namespace(other) == namespace(pod):
            counts[domain] += _chosen(constraint, pod, other)
    fewest = 0 if len(counts) < constraint.get("minDomains", 1) else min(counts.values())
    return counts[here] + _chosen(constraint, pod, pod) - fewest <= int(constraint["maxSkew"])


def _has_company(
    pod: Obj, node: Obj, domains: dict[str, dict[str, str]], placed: Sequence[Obj]
) -> bool:
    """The first of pods that want to be together is let in, as it is the company it wants."""
    terms = _terms(pod, "podAffinity")
    if any(term["topologyKey"] not in labels(node) for term in terms):
        return False
    if all(any(_beside(term, pod, other, node, domains) for other in placed) for term in terms):
        return True
    alone = not any(all(_meant(term, pod, other) for term in terms) for other in placed)
    return alone and all(_meant(term, pod, pod) for term in terms)


def _terms(pod: Obj, kind: str) -> list[Obj]:
    affinity = (spec(pod).get("affinity") or {}).get(kind) or {}
    return affinity.get(_REQUIRED) or []


def _beside(term: Obj, pod: Obj, other: Obj, node: Obj, domains: dict[str, dict[str, str]]) -> bool:
    """Whether the pod's term means that other one, and it is where the node is."""
    return _meant(term, pod, other) and _together(term, other, node, domains)


def _meant(term: Obj, pod: Obj, other: Obj) -> bool:
    spaces = term.get("namespaces") or [namespace(pod)]
    return namespace(other) in spaces and _chosen(term, pod, other)


def _together(term: Obj, other: Obj, node: Obj, domains: dict[str, dict[str, str]]) -> bool:
    key = term["topologyKey"]
    there = domains.get(spec(other)["nodeName"], {}).get(key)
    return there is not None and there == labels(node).get(key)


def _chosen(term: Obj, pod: Obj, other: Obj) -> bool:
    """By the selector; no selector chooses none. Labels of `matchLabelKeys` are as the pod's."""
    keys = [key for key in term.get("matchLabelKeys") or () if key in labels(pod)]
    alike = all(labels(other).get(key) == labels(pod)[key] for key in keys)
    return alike and matches(term.get("labelSelector"), labels(other))
