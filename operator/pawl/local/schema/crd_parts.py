"""Names, subresources and printer columns of a CRD."""

from __future__ import annotations

from typing import Any

from pawl.local.schema import causes, names
from pawl.local.schema.causes import Cause

Crd = dict[str, Any]
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = (
    "byte", "date", "date-time", "double", "float", "int32", "int64", "password",
)  # fmt: skip


def check_names(own: Crd) -> list[Cause]:
    found: list[Cause] = [
        causes.required(f"spec.names.{key}")
        for key in ("plural", "singular", "kind", "listKind")
        if not own.get(key)
    ]
    for key in ("plural", "singular", "kind", "listKind"):
        name = own.get(key, "")
        cased = key in ("kind", "listKind")
        problems = names.dns1035_label(name.lower() if cased else name)
        if name and problems:
            head = "may have mixed case, but should otherwise match: " if cased else ""
            found.append(causes.invalid(f"spec.names.{key}", name, head + ",".join(problems)))
    for key in ("shortNames", "categories"):
        for at, name in enumerate(own.get(key) or ()):
            if problems := names.dns1035_label(name):
                path = f"spec.names.{key}[{at}]"
                found.append(causes.invalid(path, name, ",".join(problems)))
    if own.get("kind") and own.get("kind") == own.get("listKind"):
        detail = "kind and listKind may not be the same"
        found.append(causes.invalid("spec.names.listKind", own["listKind"], detail))
    return found


def check_subresources(version: Crd, path: str) -> list[Cause]:
    scale = (version.get("subresources") or {}).get("scale")
    if scale is None:
        return []
    found: list[Cause] = []
    for key, roots in (
        ("specReplicasPath", (".spec.",)),
        ("statusReplicasPath", (".status.",)),
        ("labelSelectorPath", (".spec.", ".status.")),
    ):
        text, place = scale.get(key, ""), f"{path}.scale.{key}"
        if not text:
            if key != "labelSelectorPath":
                found.append(causes.required(place))
        elif not text.startswith("."):
            detail = "must be a simple json path starting with ."
            found.append(causes.invalid(place, text, detail))
        elif not text.startswith(roots):
            under = " or ".join(root.rstrip(".") for root in roots)
            either = "either " if len(roots) > 1 else ""
            detail = f"should be a json path under {either}{under}"
            found.append(causes.invalid(place, text, detail))
    return found


def check_columns(version: Crd, path: str) -> list[Cause]:
    found: list[Cause] = []
    for at, column in enumerate(version.get("additionalPrinterColumns") or ()):
        place = causes.index(path, at)
        if not column.get("name"):
            found.append(causes.required(f"{place}.name"))
        kinds = f"must be one of {','.join(_COLUMN_TYPES)}"
        if not column.get("type"):
            found.append(causes.required(f"{place}.type", kinds))
        elif column["type"] not in _COLUMN_TYPES:
            found.append(causes.invalid(f"{place}.type", column["type"], kinds))
        if column.get("format") and column["format"] not in _COLUMN_FORMATS:
            detail = f"must be one of {','.join(_COLUMN_FORMATS)}"
            found.append(causes.invalid(f"{place}.format", column["format"], detail))
        text = column.get("jsonPath", "")
        if not text:
            found.append(causes.required(f"{place}.JSONPath"))
        elif not text.startswith("."):
            detail = "must be a simple json path starting with ."
            found.append(causes.invalid(f"{place}.JSONPath", text, detail))
    return found
