"""Does a policy (or a binding) speak of a write: MatchResources (admissionregistration.k8s.io/v1;
apiserver/pkg/admission/plugin/policy/matching and webhook/predicates)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pawl.local.api import selectors
from pawl.local.api.admission.attempt import Attempt
from pawl.local.api.resources import Resource
from pawl.local.api.store import Key

if TYPE_CHECKING:
    from pawl.local.api.registry import Registry

Obj = dict[str, Any]


def match(registry: Registry, match: Obj, attempt: Attempt) -> Resource | None:
    """The version of the attempt's resource that the rules name; None when they do not match.
    Without rules everything matches."""
    versions = list(_versions(registry, attempt.resource, match.get("matchPolicy")))
    rules = match.get("resourceRules")
    found = _first(rules, attempt, versions) if rules else attempt.resource
    if found is None or _first(match.get("excludeResourceRules") or (), attempt, versions):
        return None
    if not _namespace(registry, match.get("namespaceSelector") or {}, attempt):
        return None
    return found if _object(match.get("objectSelector") or {}, attempt) else None


def namespace_of(registry: Registry, attempt: Attempt) -> Obj | None:
    """The namespace that a write happens in; None at the cluster scope and for namespaces."""
    if not attempt.namespace:
        return None
    found = registry.store.table("namespaces").get(Key("", attempt.namespace))
    return found.obj if found is not None else None


def _namespace(registry: Registry, selector: Obj, attempt: Attempt) -> bool:
    if attempt.resource.table == "namespaces":
        return selectors.select(selector, _labels(attempt.obj or attempt.old))
    if not attempt.namespace:
        return True
    return selectors.select(selector, _labels(namespace_of(registry, attempt)))


def _object(selector: Obj, attempt: Attempt) -> bool:
    if selectors.render(selector) == "<none>":
        return True
    return any(
        obj is not None and selectors.select(selector, _labels(obj))
        for obj in (attempt.obj, attempt.old)
    )


def _labels(obj: Obj | None) -> dict[str, str]:
    return ((obj or {}).get("metadata") or {}).get("labels") or {}


def _versions(registry: Registry, asked: Resource, policy: str | None) -> Iterator[Resource]:
    """The resource as it was asked for, and (matchPolicy Equivalent) its other versions."""
    yield asked
    if policy != "Exact":
        for one in registry.catalog:
            if one.plural == asked.plural and one.table == asked.table and one != asked:
                yield one


def _first(rules: Any, attempt: Attempt, versions: list[Resource]) -> Resource | None:
    for version in versions:
        if any(_rule(rule, attempt, version) for rule in rules):
            return version
    return None


def _rule(rule: Obj, attempt: Attempt, resource: Resource) -> bool:
    names = rule.get("resourceNames") or ()
    return (
        _listed(attempt.operation, rule["operations"])
        and _listed(resource.group, rule["apiGroups"])
        and _listed(resource.version, rule["apiVersions"])
        and any(
            _listed(resource.plural, [plural]) and _listed(attempt.subresource, [subresource])
            for plural, _, subresource in (one.partition("/") for one in rule["resources"])
        )
        and _scope(rule.get("scope") or "*", attempt)
        and (not names or attempt.name in names)
    )


def _listed(value: str, values: list[str]) -> bool:
    return "*" in values or value in values


def _scope(scope: str, attempt: Attempt) -> bool:
    return scope == "*" or (scope == "Namespaced") == bool(attempt.namespace)
