"""Reading Kubernetes objects as plain dicts: metadata, conditions, owners, selectors, times.

Everything here is pure and never changes its arguments. Times are aware UTC datetimes inside and
RFC 3339 with whole seconds in objects, as metav1.Time is.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

Obj = dict[str, Any]


class Key(NamedTuple):
    """Names one object of the kind that a controller looks after; namespace "" is cluster scope."""

    namespace: str
    name: str


def meta(obj: Mapping[str, Any]) -> Obj:
    value: Obj = obj.get("metadata") or {}
    return value


def key_of(obj: Mapping[str, Any]) -> Key:
    return Key(meta(obj).get("namespace", ""), meta(obj)["name"])


def uid(obj: Mapping[str, Any]) -> str:
    return str(meta(obj).get("uid", ""))


def name(obj: Mapping[str, Any]) -> str:
    return str(meta(obj).get("name", ""))


def namespace(obj: Mapping[str, Any]) -> str:
    return str(meta(obj).get("namespace", ""))


def labels(obj: Mapping[str, Any]) -> dict[str, str]:
    value: dict[str, str] = meta(obj).get("labels") or {}
    return value


def annotations(obj: Mapping[str, Any]) -> dict[str, str]:
    value: dict[str, str] = meta(obj).get("annotations") or {}
    return value


def finalizers(obj: Mapping[str, Any]) -> list[str]:
    value: list[str] = meta(obj).get("finalizers") or []
    return value


def spec(obj: Mapping[str, Any]) -> Obj:
    value: Obj = obj.get("spec") or {}
    return value


def status(obj: Mapping[str, Any]) -> Obj:
    value: Obj = obj.get("status") or {}
    return value


def deleting(obj: Mapping[str, Any]) -> bool:
    return bool(meta(obj).get("deletionTimestamp"))


def owners(obj: Mapping[str, Any]) -> list[Obj]:
    value: list[Obj] = meta(obj).get("ownerReferences") or []
    return value


def controller_of(obj: Mapping[str, Any]) -> Obj | None:
    """The owner reference with `controller: true`; an object has at most one."""
    return next((ref for ref in owners(obj) if ref.get("controller")), None)


def controller_reference(owner: Mapping[str, Any], api_version: str, kind: str) -> Obj:
    """metav1.NewControllerRef: the reference by which `owner` manages what it creates."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": name(owner),
        "uid": uid(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(obj: Mapping[str, Any], kind: str) -> Obj | None:
    return find_condition(status(obj).get("conditions") or (), kind)


def find_condition(conditions: Iterable[Obj], kind: str) -> Obj | None:
    return next((c for c in conditions if c.get("type") == kind), None)


def has_condition(obj: Mapping[str, Any], kind: str) -> bool:
    found = condition(obj, kind)
    return found is not None and found.get("status") == "True"


def dig(obj: Any, path: Iterable[str]) -> Any:
    """The value at a path of fields; None where there is nothing."""
    for part in path:
        obj = (obj or {}).get(part)
    return obj


def stamp(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def age(text: str | None, now: datetime) -> float:
    """Seconds since the time in `text`; 0 when there is none."""
    then = parse_time(text)
    return (now - then).total_seconds() if then else 0.0


def created_order(obj: Mapping[str, Any]) -> tuple[str, str]:
    """Sort key: oldest first, ties by name (controller.ReplicaSetsByCreationTimestamp)."""
    return str(meta(obj).get("creationTimestamp", "")), name(obj)


def scaled(value: int | str | None, total: int, *, round_up: bool) -> int:
    """An IntOrString of `total`: "25%" is a share of it, rounded; a number is itself."""
    if value is None:
        return 0
    if isinstance(value, str) and value.endswith("%"):
        share = int(value[:-1]) * total / 100
        return math.ceil(share) if round_up else math.floor(share)
    return int(value)


def matches(selector: Mapping[str, Any] | None, of: Mapping[str, str]) -> bool:
    """Whether labels match a metav1.LabelSelector. None selects nothing, {} selects everything."""
    if selector is None:
        return False
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    if any(of.get(k) != v for k, v in wanted.items()):
        return False
    return all(_expression(e, of) for e in selector.get("matchExpressions") or ())


def _expression(expression: Mapping[str, Any], of: Mapping[str, str]) -> bool:
    key: str = expression["key"]
    values: list[str] = expression.get("values") or []
    tests: dict[str, Callable[[], bool]] = {
        "In": lambda: key in of and of[key] in values,
        "NotIn": lambda: of.get(key) not in values,
        "Exists": lambda: key in of,
        "DoesNotExist": lambda: key not in of,
        "Gt": lambda: _number(of.get(key)) > _number(values[0]),
        "Lt": lambda: _number(of.get(key)) < _number(values[0]),
    }
    return tests[expression["operator"]]()


def _number(text: str | None) -> float:
    """NaN (which compares false) for what is not a whole number."""
    try:
        return int(text or "")
    except ValueError:
        return math.nan
