"""JSON bodies as the API server's strict decoder reads them."""

from __future__ import annotations

import json
from typing import Any

from pawl.local.schema import causes

_INT64 = 2**63


class _Repeats(dict[str, Any]):
    """A JSON object in which some keys came twice."""

    repeated: list[str]


def decode_strict(body: bytes) -> tuple[Any, list[str]]:
    """The decoded body (the last of equal keys wins) and the paths of keys that came twice
    (`spec.replicas`). Integers beyond int64 become floats, as in Go. ValueError on bad JSON."""
    found = False

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        value = dict(items)
        if len(value) == len(items):
            return value
        found = True
        marked = _Repeats(value)
        names = [name for name, _ in items]
        marked.repeated = sorted({name for name in names if names.count(name) > 1})
        return marked

    paths: list[str] = []
    try:
        decoded = json.loads(body, object_pairs_hook=pairs, parse_int=_integer)
        return (_plain(decoded, "", paths) if found else decoded), paths
    except RecursionError:
        raise ValueError("exceeded max depth") from None


def _integer(text: str) -> int | float:
    value = int(text)
    return value if -_INT64 <= value < _INT64 else float(text)


def _plain(value: Any, path: str, paths: list[str]) -> Any:
    if isinstance(value, dict):
        if isinstance(value, _Repeats):
            paths.extend(causes.child(path, name) for name in value.repeated)
        return {name: _plain(item, causes.child(path, name), paths) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, causes.index(path, at), paths) for at, item in enumerate(value)]
    return value
