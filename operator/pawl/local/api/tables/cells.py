"""What the rows of all kinds are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pawl.local.api import selectors
from pawl.local.api.tables.durations import since

Obj = dict[str, Any]
Cells = list[Any]
NONE = "<none>"


# of metadata.name and metadata.creationTimestamp
NAME_DESCRIPTION = (
    "Name must be unique within a namespace. Is required when creating resources, although "
    "some resources may allow a client to request the generation of an appropriate name "
    "automatically. Name is primarily intended for creation idempotence and configuration "
    "definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
_DESCRIPTIONS = {
    "Name": NAME_DESCRIPTION,
    "Age": "CreationTimestamp is a timestamp representing the server time when this object was "
    "created. It is not guaranteed to be set in happens-before order across separate operations. "
    "Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\n"
    "Populated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/"
    "contributors/devel/sig-architecture/api-conventions.md#metadata",
}


def no_conditions(_: Obj) -> list[Obj]:
    return []


@dataclass(frozen=True)
class Printed:
    columns: list[Obj]
    row: Callable[[Obj, datetime], Cells]
    conditions: Callable[[Obj], list[Obj]] = no_conditions


def columns(text: str) -> list[Obj]:
    """`Name,Ready,Desired#,IP*`: # marks integers, * what only -o wide shows."""
    found = []
    for word in text.split(","):
        name = word.rstrip("*#")
        found.append(
            {
                "name": name,
                "type": "integer" if "#" in word else "string",
                "format": "name" if name == "Name" else "",
                "description": _DESCRIPTIONS.get(name, ""),
                "priority": 1 if "*" in word else 0,
            }
        )
    return found


def age(obj: Obj, now: datetime) -> str:
    return since(obj["metadata"].get("creationTimestamp"), now)


def containers(spec: Obj) -> Cells:
    """Names and images of the containers of a template: two cells."""
    listed = ((spec.get("template") or {}).get("spec") or {}).get("containers") or []
    return [
        ",".join(c.get("name", "") for c in listed),
        ",".join(c.get("image", "") for c in listed),
    ]


def selector(wanted: Obj | None) -> str:
    """A LabelSelector as text; empty for one that selects everything or nothing."""
    text = selectors.render(wanted)
    return "" if text == NONE else text


def some(items: list[str], limit: int, joint: str = ",") -> str:
    shown = joint.join(items[:limit])
    if len(items) <= limit:
        return shown or "<unset>"
    return f"{shown} + {len(items) - limit} more..."
