"""JSON merge patch, RFC 7386."""

from __future__ import annotations

import copy
from typing import Any

from pawl.local.patch.errors import malformed
from pawl.local.schema import golang


def merge(obj: dict[str, Any], patch: Any) -> dict[str, Any]:
    """A new object: null removes, objects merge, everything else replaces. PatchError (400) for a
    patch that is no JSON object."""
    if not isinstance(patch, dict):
        raise malformed(
            f"error decoding patch: json: cannot unmarshal {golang.json_kind(patch)} into Go value "
            "of type map[string]interface {}"
        )
    merged = copy.deepcopy(obj)
    _merge_into(merged, patch)
    return merged


def _merge_into(target: dict[str, Any], patch: dict[str, Any]) -> None:
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict):
            inner = target.get(name)
            if not isinstance(inner, dict):
                inner = target[name] = {}
            _merge_into(inner, value)
        else:
            target[name] = copy.deepcopy(value)
