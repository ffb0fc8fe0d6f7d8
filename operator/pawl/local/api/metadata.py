"""metadata of objects: what the server fills in, and what it refuses
(apimachinery pkg/api/validation/objectmeta.go, apiserver pkg/registry/rest)."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pawl.local.api import names
from pawl.local.schema import causes, golang
from pawl.local.schema.causes import Cause

Obj = dict[str, Any]
NameRule = Callable[[str], list[str]]

IMMUTABLE = "field is immutable"
ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"

_SUFFIX_CHARACTERS = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: no words
_SUFFIX_LENGTH = 5
_MAX_PREFIX = 63 - _SUFFIX_LENGTH
_MAX_ANNOTATIONS = 256 * 1024


def stamp(now: datetime) -> str:
    """metav1.Time."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp_micro(now: datetime) -> str:
    """metav1.MicroTime."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def new_uid() -> str:
    return str(uuid.uuid4())


def suffix() -> str:
    return "".join(secrets.choice(_SUFFIX_CHARACTERS) for _ in range(_SUFFIX_LENGTH))


def generate_name(prefix: str) -> str:
    return prefix[:_MAX_PREFIX] + suffix()


def clean(meta: Obj) -> None:
    """Leave out what Go's omitempty leaves out, so that {} and absent are one thing."""
    for field in ("labels", "annotations", "finalizers", "ownerReferences", "managedFields"):
        if field in meta and not meta[field]:
            del meta[field]
    for field in ("name", "namespace", "generateName", "uid", "resourceVersion", "selfLink"):
        if meta.get(field) == "":
            del meta[field]
    for field in ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
        if field in meta and meta[field] is None:
            del meta[field]
    if meta.get("generation") in (0, None):
        meta.pop("generation", None)


def fill_for_create(meta: Obj, now: datetime) -> None:
    """rest.FillObjectMetaSystemFields and what BeforeCreate clears."""
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"):
        meta.pop(field, None)
    meta["uid"] = new_uid()
    meta["creationTimestamp"] = stamp(now)


def carry_over(meta: Obj, old: Obj) -> None:
    """Fields that an update cannot change and need not send. A wrong one that was sent stays, to
    be refused by `validate_update`."""
    for field in ("uid", "deletionGracePeriodSeconds"):
        if field in old and field not in meta:
            meta[field] = old[field]
    for field in ("creationTimestamp", "deletionTimestamp"):
        if field in old:
            meta[field] = old[field]
    # what the client says here is ignored
    for field in ("generation", "generateName"):
        if field in old:
            meta[field] = old[field]
        else:
            meta.pop(field, None)
    meta.pop("selfLink", None)


def validate(meta: Obj, *, namespaced: bool, rule: NameRule) -> list[Cause]:
    found: list[Cause] = []
    prefix, name = meta.get("generateName", ""), meta.get("name", "")
    if prefix:
        shown = names.generated_prefix(prefix)
        found += [causes.invalid("metadata.generateName", prefix, text) for text in rule(shown)]
    if not name:
        found.append(causes.required("metadata.name", "name or generateName is required"))
    else:
        found += [causes.invalid("metadata.name", name, text) for text in rule(name)]
    namespace = meta.get("namespace", "")
    if namespaced and not namespace:
        found.append(causes.required("metadata.namespace"))
    elif namespaced:
        found += [
            causes.invalid("metadata.namespace", namespace, text)
            for text in names.dns_label(namespace)
        ]
    elif namespace:
        found.append(causes.forbidden("metadata.namespace", "not allowed on this type"))
    return found + _common(meta) + _finalizers(meta)


def validate_update(meta: Obj, old: Obj) -> list[Cause]:
    found: list[Cause] = []
    if "deletionTimestamp" in old:
        extra = sorted(set(meta.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if extra:
            listed = "[]string{" + ", ".join(map(golang.quote, extra)) + "}"
            found.append(
                causes.forbidden(
                    "metadata.finalizers",
                    "no new finalizers can be added if the object is being deleted, "
                    f"found new finalizers {listed}",
                )
            )
    for field in ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp",
                  "deletionGracePeriodSeconds"):  # fmt: skip
        if meta.get(field) != old.get(field):
            value = meta.get(field, None if "deletion" in field else "")
            found.append(causes.invalid(f"metadata.{field}", value, IMMUTABLE))
    return found + _common(meta) + _finalizers(meta)


def _common(meta: Obj) -> list[Cause]:
    found: list[Cause] = []
    for key, value in (meta.get("labels") or {}).items():
        found += [causes.invalid("metadata.labels", key, t) for t in names.qualified_name(key)]
        found += [causes.invalid("metadata.labels", value, t) for t in names.label_value(value)]
    annotations = meta.get("annotations") or {}
    for key in annotations:
        found += [
            causes.invalid("metadata.annotations", key, t)
            for t in names.qualified_name(key.lower())
        ]
    if sum(len(k.encode()) + len(v.encode()) for k, v in annotations.items()) > _MAX_ANNOTATIONS:
        found.append(causes.too_long("metadata.annotations", _MAX_ANNOTATIONS))
    return found + _owners(meta)


def _owners(meta: Obj) -> list[Cause]:
    found: list[Cause] = []
    refs = meta.get("ownerReferences") or []
    first = ""
    at = "metadata.ownerReferences"
    for ref in refs:
        if not ref.get("apiVersion"):
            text = "version must not be empty"
            found.append(causes.invalid(f"{at}.apiVersion", ref.get("apiVersion", ""), text))
        for field in ("kind", "name", "uid"):
            if not ref.get(field):
                value = ref.get(field, "")
                found.append(causes.invalid(f"{at}.{field}", value, "must not be empty"))
        if ref.get("apiVersion") == "v1" and ref.get("kind") == "Event":
            text = "/v1, Kind=Event is disallowed from being an owner"
            found.append(causes.invalid(at, ref, text))
        if ref.get("controller"):
            this = f"{ref.get('kind')}/{ref.get('name')}"
            if first:
                text = (
                    'Only one reference can have Controller set to true. Found "true" in '
                    f"references for {first} and {this}"
                )
                found.append(causes.invalid(at, refs, text))
            else:
                first = this
    return found


def _finalizers(meta: Obj) -> list[Cause]:
    listed = meta.get("finalizers") or []
    found = [
        causes.invalid("metadata.finalizers", one, text)
        for one in listed
        for text in names.qualified_name(one)
    ]
    if ORPHAN in listed and FOREGROUND in listed:
        text = f"finalizer {FOREGROUND} and {ORPHAN} cannot be both set"
        found.append(causes.invalid("metadata.finalizers", listed, text))
    return found
