"""metadata.managedFields: who owns which fields, decoded and encoded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pawl.local.patch.fieldset import FieldSet
from pawl.local.schema import golang

JsonObject = dict[str, Any]
MAX_UPDATERS = 10
_ANCIENT = "ancient-changes"
# Fields that the server or the request itself sets: nobody owns them.
META_FIELDS = FieldSet.of(
    ("f:apiVersion",),
    ("f:kind",),
    ("f:metadata",),
    *(
        ("f:metadata", f"f:{name}")
        for name in (
            "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName",
            "generation", "managedFields", "resourceVersion",
        )
    ),
)  # fmt: skip


class Manager(NamedTuple):
    """What identifies an entry. An applier keeps its entry across API versions, so there
    `api_version` is empty."""

    name: str
    operation: str
    api_version: str
    subresource: str


@dataclass
class Entry:
    """The fields of one manager, the API version they are named in, and the last change."""

    fields: FieldSet
    api_version: str
    time: datetime | None


State = dict[Manager, Entry]


def show_manager(manager: Manager) -> str:
    """`"kubectl-edit" with subresource "status" using v1`."""
    text = golang.quote(manager.name)
    if manager.subresource:
        text += f" with subresource {golang.quote(manager.subresource)}"
    return f"{text} using {manager.api_version}" if manager.operation == "Update" else text


def is_reset(entries: Any) -> bool:
    """Does a request ask for all ownership to be forgotten (`[]` or `[{}]`)?"""
    return entries in ([], [{}])


def decode(entries: Any) -> State:
    """The state; empty when any entry is malformed, as the API server does."""
    state: State = {}
    try:
        for entry in entries or ():
            operation = entry["operation"]
            version = entry["apiVersion"]
            if operation not in ("Apply", "Update") or entry["fieldsType"] != "FieldsV1":
                return {}
            key = "" if operation == "Apply" else version
            manager = Manager(
                entry.get("manager", ""), operation, key, entry.get("subresource", "")
            )
            time = datetime.fromisoformat(entry["time"]) if entry.get("time") else None
            state[manager] = Entry(FieldSet.from_fields(entry.get("fieldsV1", {})), version, time)
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}
    return state


def encode(obj: JsonObject, state: State) -> JsonObject:
    """The object with `metadata.managedFields`, sorted as the API server sorts them."""
    meta = dict(obj.get("metadata", {}))
    meta.pop("managedFields", None)
    ordered = sorted(
        state.items(),
        key=lambda item: (item[0].operation, _seconds(item[1]), item[0].name, item[1].api_version,
                          item[0].subresource),
    )  # fmt: skip
    if ordered:
        meta["managedFields"] = [_wire(manager, entry) for manager, entry in ordered]
    return {**obj, "metadata": meta}


def _wire(manager: Manager, entry: Entry) -> JsonObject:
    wire: JsonObject = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": entry.api_version,
    }
    if entry.time is not None:
        wire["time"] = entry.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    wire |= {"fieldsType": "FieldsV1", "fieldsV1": entry.fields.to_fields()}
    if manager.subresource:
        wire["subresource"] = manager.subresource
    return wire


def _seconds(entry: Entry) -> int:
    return int(entry.time.timestamp()) if entry.time else 0


def cap_updaters(state: State) -> State:
    """At most MAX_UPDATERS entries from updates: the oldest of each API version are merged into
    one named `ancient-changes`."""
    updaters = sorted(
        (manager for manager in state if manager.operation == "Update"),
        key=lambda manager: (_seconds(state[manager]), manager),
    )
    excess = len(updaters) - MAX_UPDATERS
    first: dict[str, Manager] = {}
    result = dict(state)
    for manager in updaters:
        if excess <= 0:
            break
        version = manager.api_version
        if version not in first:
            first[version] = manager
            continue
        bucket = Manager(_ANCIENT, "Update", version, "")
        if bucket not in result:
            result[bucket] = result.pop(first[version])
        merged = result[manager].fields | result[bucket].fields
        result[bucket] = Entry(merged, version, result[manager].time)
        del result[manager]
        excess -= 1
    return result
