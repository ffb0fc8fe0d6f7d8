"""Namespaces: what every new one holds, and how one that is deleted is emptied.

Deletion is ordered: first all pods, then the rest; the finalizer `kubernetes` goes when nothing
is left. Sources: pkg/controller/namespace/deletion, pkg/controller/serviceaccount and
pkg/controller/certificates/rootcacertpublisher.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pawl.local.api.registry import Registry
from pawl.local.controllers.changes import (
    EVERYTHING,
    Change,
    Create,
    Delete,
    Patch,
    Plan,
    Shell,
)
from pawl.local.controllers.objects import (
    Key,
    Obj,
    deleting,
    finalizers,
    find_condition,
    key_of,
    name,
    namespace,
    spec,
    stamp,
    status,
)

CA_CONFIG_MAP = "kube-root-ca.crt"
_CA_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal "
    "endpoints such as the internal service IP or kubernetes.default.svc. No other usage is "
    "guaranteed across distributions of Kubernetes clusters."
)
_FINE = {  # by condition: reason and message when nothing is wrong
    "NamespaceDeletionDiscoveryFailure": (
        "ResourcesDiscovered",
        "All resources successfully discovered",
    ),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": (
        "ContentHasNoFinalizers",
        "All content-preserving finalizers finished",
    ),
}

Content = dict[str, list[Obj]]  # objects by resource, e.g. "apps/deployments"


@dataclass(frozen=True)
class Observed:
    """A namespace and all that is in it."""

    namespace: Obj
    content: Content


def plan_deletion(observed: Observed) -> Plan:
    """Delete what has not been deleted yet; pods before everything else."""
    if not deleting(observed.namespace):
        return Plan()
    pods = observed.content.get("pods") or []
    due: Content = {"pods": pods} if pods else observed.content
    return Plan(
        tuple(
            Delete(resource, obj, propagation="Background")
            for resource, objs in due.items()
            for obj in objs
            if not deleting(obj)
        )
    )


def plan_termination(observed: Observed, now: datetime) -> Plan:
    """Say what is left, and let the namespace go when nothing is."""
    obj = observed.namespace
    if not deleting(obj):
        return Plan()
    changes: list[Change] = []
    conditions = _conditions(observed, now)
    if conditions != (status(obj).get("conditions") or []):
        written = {"status": {"conditions": conditions}}
        changes.append(Patch("namespaces", obj, written, subresource="status"))
    own: list[str] = spec(obj).get("finalizers") or []
    if not any(observed.content.values()) and "kubernetes" in own:
        left = [f for f in own if f != "kubernetes"]
        freed = {"spec": {"finalizers": left or None}}
        changes.append(Patch("namespaces", obj, freed, subresource="finalize"))
    return Plan(tuple(changes))


def _conditions(observed: Observed, now: datetime) -> list[Obj]:
    old = [dict(c) for c in status(observed.namespace).get("conditions") or ()]
    wrong = _remaining(observed.content)
    for kind, fine in _FINE.items():
        reason, message = wrong.get(kind, fine)
        new = {"type": kind, "status": str(kind in wrong), "reason": reason, "message": message}
        found = find_condition(old, kind)
        if found is None:
            old.append({**new, "lastTransitionTime": stamp(now)})
            continue
        if found["status"] != new["status"]:
            found["lastTransitionTime"] = stamp(now)
        found.update(new)
    return old


def _remaining(content: Content) -> dict[str, tuple[str, str]]:
    left = {resource: objs for resource, objs in content.items() if objs}
    if not left:
        return {}
    texts = sorted(f"{_qualified(r)} has {len(o)} resource instances" for r, o in left.items())
    said = "Some resources are remaining: " + ", ".join(texts)
    wrong = {"NamespaceContentRemaining": ("SomeResourcesRemain", said)}
    held: dict[str, int] = {}
    for finalizer in (f for objs in left.values() for obj in objs for f in finalizers(obj)):
        held[finalizer] = held.get(finalizer, 0) + 1
    if held:
        texts = sorted(f"{f} in {count} resource instances" for f, count in held.items())
        said = "Some content in the namespace has finalizers remaining: " + ", ".join(texts)
        wrong["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", said)
    return wrong


def _qualified(resource: str) -> str:
    """`deployments.apps`, and `pods.` for the core group: so the message writes it."""
    group, _, plural = resource.rpartition("/")
    return f"{plural}.{group}"


def plan_furniture(obj: Obj, existing: frozenset[str], ca_bundle: str) -> Plan:
    """The ServiceAccount and the ConfigMap that every namespace has. `existing`: resources of
    the two that are there."""
    if deleting(obj):
        return Plan()
    where = name(obj)
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": where},
    }
    bundle = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": CA_CONFIG_MAP,
            "namespace": where,
            "annotations": {"kubernetes.io/description": _CA_DESCRIPTION},
        },
        "data": {"ca.crt": ca_bundle},
    }
    wanted = {"serviceaccounts": account, "configmaps": bundle}
    return Plan(tuple(Create(r, where, made) for r, made in wanted.items() if r not in existing))


class NamespaceController:
    name = "namespace"

    def __init__(self, registry: Registry, ca_bundle: str = "") -> None:
        self._shell = Shell(registry, "namespace-controller")
        self._ca_bundle = ca_bundle

    @property
    def watches(self) -> Mapping[str, Callable[[Obj], Iterable[Key]]]:
        return {
            "namespaces": lambda obj: [key_of(obj)],
            "serviceaccounts": _furnished("default"),
            "configmaps": _furnished(CA_CONFIG_MAP),
            EVERYTHING: self._wakes,
        }

    def _wakes(self, obj: Obj) -> Iterable[Key]:
        """A namespace that is being emptied wants to know of all that goes on in it."""
        own = Key("", namespace(obj))
        if own.name and (found := self._shell.find("namespaces", own)) and deleting(found):
            yield own

    def reconcile(self, key: Key, now: datetime) -> None:
        found = self._shell.find("namespaces", key)
        if found is None:
            return
        if not deleting(found):
            self._shell.apply(
                plan_furniture(found, self._furniture(key.name), self._ca_bundle).changes
            )
            return
        self._shell.apply(plan_deletion(self._observe(found)).changes)
        self._shell.apply(plan_termination(self._observe(found), now).changes)

    def _observe(self, obj: Obj) -> Observed:
        registry = self._shell.registry
        tables = [r.table for r in registry.catalog.stored() if r.namespaced]
        found = {table: registry.list(table, name(obj)) for table in sorted(tables)}
        return Observed(obj, {table: objs for table, objs in found.items() if objs})

    def _furniture(self, where: str) -> frozenset[str]:
        pieces = {"serviceaccounts": "default", "configmaps": CA_CONFIG_MAP}
        found = (r for r, n in pieces.items() if self._shell.find(r, Key(where, n)))
        return frozenset(found)


def _furnished(piece: str) -> Callable[[Obj], list[Key]]:
    return lambda obj: [Key("", namespace(obj))] if name(obj) == piece else []
