"""Is a CustomResourceDefinition acceptable? (apiextensions/validation, words and order.)

The API server keeps what all versions have in common in one place; complaints about it are placed
there: `spec.validation.openAPIV3Schema…` for a schema that every version shares, else
`spec.versions[0].schema.openAPIV3Schema…`.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from pawl.local.schema import causes, golang, names
from pawl.local.schema.causes import Cause
from pawl.local.schema.crd_parts import check_columns, check_names, check_subresources
from pawl.local.schema.crd_schema import check_schema

Crd = dict[str, Any]
_VERSION_KEYS = (
    "name", "served", "storage", "deprecated", "deprecationWarning", "schema", "subresources",
    "additionalPrinterColumns", "selectableFields",
)  # fmt: skip
_APPROVAL = "api-approved.kubernetes.io"


def default_crd(crd: Crd) -> Crd:
    """A new CRD with the defaults of the v1 API: singular, listKind, conversion."""
    filled = copy.deepcopy(crd)
    spec = filled.setdefault("spec", {})
    own = spec.setdefault("names", {})
    if not own.get("singular") and own.get("kind"):
        own["singular"] = own["kind"].lower()
    if not own.get("listKind") and own.get("kind"):
        own["listKind"] = own["kind"] + "List"
    spec.setdefault("conversion", {"strategy": "None"})
    return filled


def check_crd(crd: Crd, old: Crd | None = None) -> list[Cause]:
    """Everything that is wrong with a (defaulted) CRD; with `old`, also what must not change."""
    spec = crd.get("spec") or {}
    found = _metadata(crd, spec)
    found += _group_and_scope(spec)
    found += _versions(spec)
    found += check_names(spec.get("names") or {})
    found += _shared(spec)
    found += _conversion(spec.get("conversion") or {})
    if old is not None:
        found += _immutable(spec, old.get("spec") or {}, established=_is_established(old))
    found += _stored_versions(crd, spec)
    found += _approval(crd, spec)
    if spec.get("preserveUnknownFields"):
        detail = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
            "spec.versions[*].schema instead"
        )
        found.append(causes.invalid("spec.preserveUnknownFields", True, detail))
    return found


def _metadata(crd: Crd, spec: Crd) -> list[Cause]:
    name = (crd.get("metadata") or {}).get("name", "")
    if not name:
        return [causes.required("metadata.name", "name or generateName is required")]
    problems = names.dns1123_subdomain(name)
    if name != f"{(spec.get('names') or {}).get('plural', '')}.{spec.get('group', '')}":
        problems.append('must be spec.names.plural+"."+spec.group')
    return [causes.invalid("metadata.name", name, problem) for problem in problems]


def _group_and_scope(spec: Crd) -> list[Cause]:
    found: list[Cause] = []
    group = spec.get("group", "")
    if not group:
        found.append(causes.required("spec.group"))
    elif problems := names.dns1123_subdomain(group):
        found.append(causes.invalid("spec.group", group, ",".join(problems)))
    elif "." not in group:
        detail = "should be a domain with at least one dot"
        found.append(causes.invalid("spec.group", group, detail))
    scopes = ("Cluster", "Namespaced")
    if not spec.get("scope"):
        found.append(causes.required("spec.scope"))
    elif spec["scope"] not in scopes:
        found.append(causes.not_supported("spec.scope", spec["scope"], scopes))
    return found


def _versions(spec: Crd) -> list[Cause]:
    found: list[Cause] = []
    versions = spec.get("versions") or []
    common = {key for key in ("schema", "subresources", "additionalPrinterColumns")
              if _common(spec, key)}  # fmt: skip
    for at, version in enumerate(versions):
        path = f"spec.versions[{at}]"
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            found.append(causes.required(f"{path}.schema.openAPIV3Schema"))
        if problems := names.dns1035_label(version.get("name", "")):
            name = version.get("name", "")
            found.append(causes.invalid(f"{path}.name", name, ",".join(problems)))
        if "schema" not in common:
            found += _schema(version, f"{path}.schema")
        if "subresources" not in common:
            found += check_subresources(version, f"{path}.subresources")
        if "additionalPrinterColumns" not in common:
            found += check_columns(version, f"{path}.additionalPrinterColumns")
    declared = [version.get("name") for version in versions]
    if len(set(declared)) < len(declared):
        found.append(_about_versions(spec, "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        found.append(
            _about_versions(spec, "must have exactly one version marked as storage version")
        )
    if declared and (problems := names.dns1035_label(declared[0] or "")):
        found.append(causes.invalid("spec.version", declared[0], ",".join(problems)))
    return found


def _about_versions(spec: Crd, detail: str) -> Cause:
    """The value is printed as the API server's internal struct is marshalled, where what all
    versions share stands elsewhere."""
    shown = []
    for version in spec.get("versions") or []:
        entry = {key[0].upper() + key[1:]: version.get(key) for key in _VERSION_KEYS}
        entry |= {"Served": bool(version.get("served")), "Storage": bool(version.get("storage")),
                  "Deprecated": bool(version.get("deprecated"))}  # fmt: skip
        for key in ("schema", "subresources", "additionalPrinterColumns"):
            if _common(spec, key):
                entry[key[0].upper() + key[1:]] = None
        shown.append(entry)
    text = json.dumps(shown, separators=(",", ":"), ensure_ascii=False)
    return Cause(causes.INVALID, f"Invalid value: {text}: {detail}", "spec.versions")


def _stored_versions(crd: Crd, spec: Crd) -> list[Cause]:
    versions = spec.get("versions") or []
    storage = [version.get("name", "") for version in versions if version.get("storage")]
    stored = (crd.get("status") or {}).get("storedVersions") or storage[:1]
    path = "status.storedVersions"
    if not stored:
        return [causes.invalid(path, None, "must have at least one stored version")]
    found = [
        causes.invalid(path, stored, f"must have the storage version {name}")
        for name in storage
        if name not in stored
    ]
    served = {version.get("name") for version in versions}
    for at, name in enumerate(stored):
        if name not in served:
            detail = (
                f"missing from spec.versions; {name} was previously a storage version, and must "
                "remain in spec.versions until a storage migration ensures no data remains "
                f"persisted in {name} and removes {name} from status.storedVersions"
            )
            found.append(causes.invalid(causes.index(path, at), name, detail))
    return found


def _common(spec: Crd, key: str) -> Any:
    """What all versions say alike, or None."""
    versions = spec.get("versions") or []
    first = versions[0].get(key) if versions else None
    alike = all(golang.same(version.get(key), first) for version in versions)
    return first if alike else None


def _shared(spec: Crd) -> list[Cause]:
    """What the API server keeps once for all versions."""
    versions = spec.get("versions") or []
    first = versions[0] if versions else {}
    found: list[Cause] = []
    if _common(spec, "schema"):
        found += _schema(first, "spec.validation", status=any(map(_has_status, versions)))
    if _common(spec, "subresources"):
        found += check_subresources(first, "spec.subresources")
    if _common(spec, "additionalPrinterColumns"):
        found += check_columns(first, "spec.additionalPrinterColumns")
    return found


def _has_status(version: Crd) -> bool:
    return (version.get("subresources") or {}).get("status") is not None


def _schema(version: Crd, path: str, *, status: bool | None = None) -> list[Cause]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if not schema:
        return []
    enabled = _has_status(version) if status is None else status
    return check_schema(schema, f"{path}.openAPIV3Schema", status=enabled)


def _conversion(conversion: Crd) -> list[Cause]:
    strategy = conversion.get("strategy", "")
    if not strategy:
        return [causes.required("spec.conversion.strategy")] if conversion else []
    if strategy not in ("None", "Webhook"):
        allowed = ("None", "Webhook")
        return [causes.not_supported("spec.conversion.strategy", strategy, allowed)]
    return []


def _is_established(crd: Crd) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions)


def _immutable(spec: Crd, old: Crd, *, established: bool) -> list[Cause]:
    found: list[Cause] = []
    paths = [("scope",), ("names", "kind")] if established else []
    for path in [*paths, ("group",), ("names", "plural")]:
        new_value, old_value = spec, old
        for key in path:
            new_value, old_value = new_value.get(key, {}), old_value.get(key, {})
        if new_value != old_value:
            field = ".".join(("spec", *path))
            found.append(causes.invalid(field, new_value, "field is immutable"))
    return found


def _approval(crd: Crd, spec: Crd) -> list[Cause]:
    """Groups of the Kubernetes community need the word of their reviewers."""
    group = spec.get("group", "")
    if not (group in ("k8s.io", "kubernetes.io") or group.endswith((".k8s.io", ".kubernetes.io"))):
        return []
    annotations = (crd.get("metadata") or {}).get("annotations") or {}
    text = annotations.get(_APPROVAL, "")
    field = f"metadata.annotations[{_APPROVAL}]"
    more = "See https://github.com/kubernetes/enhancements/pull/1111"
    if not text:
        detail = (
            f'protected groups must have approval annotation "{_APPROVAL}", '
            f"see https://github.com/kubernetes/enhancements/pull/1111"
        )
        return [causes.required(field, detail)]
    if text.startswith(("unapproved", "http://", "https://")):
        return []
    detail = (
        f'protected groups must have approval annotation "{_APPROVAL}" with either a URL or a '
        f'reason starting with "unapproved", {more[0].lower()}{more[1:]}'
    )
    return [causes.invalid(field, text, detail)]
