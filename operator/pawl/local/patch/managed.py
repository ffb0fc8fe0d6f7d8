"""Field management: server-side apply, and what every other write does to managedFields
(apimachinery/pkg/util/managedfields over structured-merge-diff).

Both functions return a new object with `metadata.managedFields`. Fields that no write through
this endpoint can change (`status` through the main resource, everything but `status` through
/status) are never owned there.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pawl.local.patch import combine, typed
from pawl.local.patch.compare import compare
from pawl.local.patch.entries import (
    META_FIELDS,
    Entry,
    Manager,
    State,
    cap_updaters,
    decode,
    encode,
    is_reset,
    show_manager,
)
from pawl.local.patch.errors import PatchError, malformed
from pawl.local.patch.fieldset import FieldSet, Path, show
from pawl.local.patch.origin import bare, empty, with_meta, without_managed_fields
from pawl.local.schema.causes import Cause

Schema = dict[str, Any]
JsonObject = dict[str, Any]
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True)
class _Write:
    """One write, as far as field management cares."""

    me: Manager
    api_version: str
    schema: Schema
    reset: FieldSet  # what this endpoint cannot change
    now: datetime


class Conflicts(PatchError):  # noqa: N818 - the word of the API
    """Other managers own fields that an apply would change (a 409)."""

    reason = "Conflict"

    def __init__(self, found: list[tuple[Manager, Path]]) -> None:
        self.found = found
        super().__init__(_conflict_message(found), code=409)

    @property
    def causes(self) -> list[Cause]:
        """`status.details.causes` of the Status."""
        return [
            Cause("FieldManagerConflict", f"conflict with {show_manager(manager)}", show(path))
            for manager, path in self.found
        ]


def apply(
    live: JsonObject | None,
    applied: JsonObject,
    *,
    manager: str,
    force: bool,
    schema: Schema,
    api_version: str,
    subresource: str = "",
    now: datetime,
    reset_fields: Iterable[Path] | None = None,
) -> JsonObject:
    """Server-side apply: `applied` merged into `live` (None on creation), minus what the manager
    applied before, leaves out now and nobody else owns. Conflicts unless forced; PatchError for a
    patch that is not acceptable (400) or does not fit the schema (500)."""
    if (applied.get("metadata") or {}).get("managedFields") is not None:
        raise malformed("metadata.managedFields must be nil")
    schema = with_meta(schema)
    reset = _reset(subresource, reset_fields)
    who = described(applied)
    try:
        typed.check(applied, schema)
    except typed.TypedError as error:
        raise typed.TypedError(f"failed to create typed patch object ({who}): {error}") from None
    before = without_managed_fields(live if live is not None else bare(applied))
    state = decode((live or {}).get("metadata", {}).get("managedFields"))
    if not state and live is not None:
        first = Manager("before-first-apply", "Update", api_version, subresource)
        write = _Write(first, api_version, schema, reset, now)
        state = _record(write, empty(live, schema), before, state)
    me = Manager(manager or "unknown", "Apply", "", subresource)
    write = _Write(me, api_version, schema, reset, now)
    try:
        merged, state = _apply(write, before, applied, state, force=force)
    except Conflicts as conflicts:
        if manager != "kubectl":
            raise
        _only_from_last_applied(conflicts, before, schema, api_version)
        merged, state = _apply(write, before, applied, state, force=True)
    if merged != before and me in state:
        state[me].time = now
    if manager == "kubectl":
        _refresh_last_applied(merged, applied)
    return encode(merged, state)


def update(
    old: JsonObject | None,
    new: JsonObject,
    *,
    manager: str,
    operation: str = "Update",
    schema: Schema,
    subresource: str = "",
    now: datetime,
    reset_fields: Iterable[Path] | None = None,
) -> JsonObject:
    """Bookkeeping after POST, PUT or PATCH: `manager` owns what it changed, others lose it.
    `managedFields: []` or `[{}]` in `new` clears all ownership. An object that is not tracked
    stays untracked."""
    schema = with_meta(schema)
    before_fields = (old or {}).get("metadata", {}).get("managedFields")
    wanted = (new.get("metadata") or {}).get("managedFields")
    if subresource:
        state = decode(before_fields)
    elif is_reset(wanted):
        state = {}
    else:
        state = decode(wanted) or decode(before_fields)
    plain = without_managed_fields(new)
    if not state and old is not None:
        return plain
    before = without_managed_fields(old) if old is not None else empty(new, schema)
    me = Manager(manager or "unknown", operation, str(new.get("apiVersion", "")), subresource)
    write = _Write(me, me.api_version, schema, _reset(subresource, reset_fields), now)
    return encode(plain, cap_updaters(_record(write, before, plain, state)))


def _record(write: _Write, before: JsonObject, after: JsonObject, state: State) -> State:
    """The state after the write changed `before` into `after`."""
    change = compare(before, after, write.schema).without_below(write.reset)
    taken = change.modified | change.added
    result: State = {}
    for manager, entry in state.items():
        kept = entry.fields - taken - change.removed
        if kept:
            result[manager] = Entry(kept, entry.api_version, entry.time)
    gained = taken - META_FIELDS
    if gained:
        previous = result[write.me].fields if write.me in result else FieldSet()
        result[write.me] = Entry(gained | previous, write.api_version, write.now)
    return result


def _apply(
    write: _Write, live: JsonObject, applied: JsonObject, state: State, *, force: bool
) -> tuple[JsonObject, State]:
    """The merged object and the new state; Conflicts when others own what would change."""
    me, schema = write.me, write.schema
    try:
        merged = combine.merge(live, applied, schema)
        last = state.get(me)
        own = typed.to_set(applied, schema).without_below(write.reset)
        result = dict(state)
        result[me] = Entry(own, write.api_version, last.time if last else None)
        if last is not None and last.fields - own:
            merged = _prune(merged, result, last.fields, schema)
        change = compare(live, merged, schema).without_below(write.reset)
    except ValueError as error:
        raise typed.TypedError(f"failed to merge config: {error}") from error
    taken = change.modified | change.added
    found = [
        (manager, path)
        for manager in sorted(result)
        if manager != me
        for path in result[manager].fields & taken
    ]
    if found and not force:
        raise Conflicts(found)
    for manager, entry in list(result.items()):
        lost = META_FIELDS if manager == me else taken | change.removed
        result[manager] = Entry(entry.fields - lost, entry.api_version, entry.time)
        if not result[manager].fields:
            del result[manager]
    return copy.deepcopy(merged), result


def _prune(merged: JsonObject, state: State, last: FieldSet, schema: Schema) -> JsonObject:
    """Remove what was applied last time, unless somebody owns it still."""

    def named(fields: FieldSet) -> FieldSet:
        return typed.with_named_fields(fields, schema)

    everything = named(typed.to_set(merged, schema))
    left = named(typed.to_set(combine.remove(merged, named(last), schema), schema))
    owned = FieldSet()
    for entry in state.values():
        owned = owned | entry.fields
    pruned = combine.remove(merged, everything - (left | named(owned)), schema)
    left = named(typed.to_set(pruned, schema))
    result: JsonObject = combine.remove(merged, (everything - left) & named(last), schema)
    return result


def _only_from_last_applied(
    conflicts: Conflicts, live: JsonObject, schema: Schema, api_version: str
) -> None:
    """kubectl upgrading from client-side apply may take the fields that its own last-applied
    annotation says it set; raises the conflicts that remain."""
    text = (live.get("metadata", {}).get("annotations") or {}).get(LAST_APPLIED)
    try:
        last = json.loads(text or "")
    except ValueError:
        raise conflicts from None
    if not isinstance(last, dict) or last.get("apiVersion") != api_version:
        raise conflicts
    change = compare(last, live, schema)
    allowed = typed.to_set(last, schema) - change.modified - change.added - change.removed
    remaining = [(manager, path) for manager, path in conflicts.found if path not in allowed]
    if remaining:
        raise Conflicts(remaining) from None


def _refresh_last_applied(merged: JsonObject, applied: JsonObject) -> None:
    annotations = merged.get("metadata", {}).get("annotations") or {}
    if not annotations.get(LAST_APPLIED):
        return
    config = copy.deepcopy(applied)
    (config.get("metadata", {}).get("annotations") or {}).pop(LAST_APPLIED, None)
    annotations[LAST_APPLIED] = json.dumps(config, separators=(",", ":"), sort_keys=True) + "\n"


def _reset(subresource: str, fields: Iterable[Path] | None) -> FieldSet:
    if fields is not None:
        return FieldSet.of(*fields)
    if subresource == "status":
        return FieldSet.of(("f:spec",), ("f:metadata",))
    return FieldSet() if subresource else FieldSet.of(("f:status",))


def _conflict_message(found: list[tuple[Manager, Path]]) -> str:
    if len(found) == 1:
        manager, path = found[0]
        return f"Apply failed with 1 conflict: conflict with {show_manager(manager)}: {show(path)}"
    lines = []
    for manager in sorted({manager for manager, _ in found}):
        lines.append(f"conflicts with {show_manager(manager)}:")
        lines += [f"- {show(path)}" for other, path in found if other == manager]
    return f"Apply failed with {len(found)} conflicts: " + "\n".join(lines)


def _name_of(obj: JsonObject) -> str:
    meta = obj.get("metadata") or {}
    return f"{meta.get('namespace', '')}/{meta.get('name', '')}"


def described(obj: JsonObject) -> str:
    """As messages about applied objects name one."""
    return f"{_name_of(obj)}; {gvk(obj)}"


def gvk(obj: JsonObject) -> str:
    version = str(obj.get("apiVersion", ""))
    return f"{version if '/' in version else f'/{version}'}, Kind={obj.get('kind', '')}"
