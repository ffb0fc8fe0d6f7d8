"""CustomResourceDefinitions themselves (apiextensions-apiserver pkg/registry and validation)."""

from __future__ import annotations

import copy

from pawl.local.api import names
from pawl.local.api.kinds.base import Context, Obj
from pawl.local.api.kinds.builtin import BuiltinKind
from pawl.local.schema import causes
from pawl.local.schema.causes import Cause, child, index
from pawl.local.schema.structural import check_crd

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


class CrdKind(BuiltinKind):
    has_status = True
    generation = True
    status_metadata = frozenset()
    deletion_finalizers = (CLEANUP,)

    def __init__(self) -> None:
        super().__init__("apiextensions.k8s.io", "v1", "CustomResourceDefinition")

    def default(self, obj: Obj) -> None:
        spec = obj.setdefault("spec", {})
        if not spec.get("scope") and "scope" in spec:
            del spec["scope"]
        listed = spec.setdefault("names", {})
        if listed.get("kind"):
            if not listed.get("singular"):
                listed["singular"] = listed["kind"].lower()
            if not listed.get("listKind"):
                listed["listKind"] = listed["kind"] + "List"
        if not spec.get("conversion"):
            spec["conversion"] = {"strategy": "None"}
        for version in spec.get("versions") or ():
            for column in version.get("additionalPrinterColumns") or ():
                if column.get("priority") == 0:
                    del column["priority"]

    def initial_status(self, obj: Obj) -> Obj | None:
        versions = obj["spec"].get("versions") or ()
        return {
            "conditions": [],
            "acceptedNames": {"plural": "", "kind": ""},
            "storedVersions": [v.get("name", "") for v in versions if v.get("storage")],
        }

    def prepare_update(self, context: Context, obj: Obj, old: Obj) -> None:
        stored = list(old.get("status", {}).get("storedVersions") or [])
        for version in obj["spec"].get("versions") or ():
            if version.get("storage") and version.get("name") not in stored:
                stored.append(version["name"])
        obj["status"] = {**copy.deepcopy(old.get("status", {})), "storedVersions": stored}

    def validate(self, context: Context, obj: Obj) -> list[Cause]:
        spec = obj["spec"]
        found = _identity(obj)
        versions = spec.get("versions") or []
        seen: set[str] = set()
        for number, version in enumerate(versions):
            at = index("spec.versions", number)
            name = version.get("name", "")
            found += [
                causes.invalid(child(at, "name"), name, text)
                for text in (names.dns1035_label(name) if name else [])
            ]
            if name in seen:
                found.append(causes.duplicate(child(at, "name"), name))
            seen.add(name)
        if not versions:
            text = "must have at least one version"
            found.append(causes.invalid("spec.versions", versions, text))
        elif sum(bool(version.get("storage")) for version in versions) != 1:
            text = "must have exactly one version marked as storage version"
            found.append(causes.invalid("spec.versions", versions, text))
        if spec["conversion"].get("strategy") == "Webhook":
            text = "conversion webhooks are not served by the embedded cluster"
            found.append(causes.forbidden("spec.conversion.strategy", text))
        return found + check_crd(obj)

    def validate_update(self, context: Context, obj: Obj, old: Obj) -> list[Cause]:
        found: list[Cause] = []
        for field in ("group", "scope"):
            value = obj["spec"].get(field)
            if value != old["spec"].get(field):
                found.append(causes.invalid(f"spec.{field}", value, "field is immutable"))
        for field in ("plural", "kind"):
            value = obj["spec"]["names"].get(field)
            if value != old["spec"]["names"].get(field):
                found.append(causes.invalid(f"spec.names.{field}", value, "field is immutable"))
        kept = [v.get("name") for v in obj["spec"].get("versions") or ()]
        for number, version in enumerate(obj["status"].get("storedVersions") or ()):
            if version not in kept:
                at = index("status.storedVersions", number)
                text = (
                    "missing from spec.versions; v1 was previously a storage version, and must "
                    "remain in spec.versions until a storage migration ensures no data remains "
                    "persisted in v1 and removes v1 from status.storedVersions"
                ).replace("v1", version)
                found.append(causes.invalid(at, version, text))
        return found


def _identity(obj: Obj) -> list[Cause]:
    spec, listed = obj["spec"], obj["spec"]["names"]
    found: list[Cause] = []
    group, plural = spec.get("group", ""), listed.get("plural", "")
    if group:
        found += [causes.invalid("spec.group", group, t) for t in names.dns_subdomain(group)]
        if "." not in group:
            text = "should be a domain with at least one dot"
            found.append(causes.invalid("spec.group", group, text))
    wanted = f"{plural}.{group}"
    if plural and group and obj["metadata"]["name"] != wanted:
        text = 'must be spec.names.plural+"."+spec.group'
        found.append(causes.invalid("metadata.name", obj["metadata"]["name"], text))
    if spec.get("scope") not in (None, "Cluster", "Namespaced"):
        known = ("Cluster", "Namespaced")
        found.append(causes.not_supported("spec.scope", spec["scope"], known))
    for field in ("plural", "singular", "kind", "listKind"):
        value = listed.get(field)
        if value:
            found += [
                causes.invalid(f"spec.names.{field}", value, text)
                for text in names.dns1035_label(value.lower())
            ]
    if listed.get("kind") and listed.get("kind") == listed.get("listKind"):
        text = "kind and listKind may not be the same"
        found.append(causes.invalid("spec.names.listKind", listed["listKind"], text))
    for number, short in enumerate(listed.get("shortNames") or ()):
        at = index("spec.names.shortNames", number)
        found += [causes.invalid(at, short, text) for text in names.dns1035_label(short)]
    return found
