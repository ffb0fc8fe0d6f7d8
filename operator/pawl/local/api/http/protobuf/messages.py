"""What the decoder knows of a message: the tables' numbers with the types of OpenAPI."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pawl.local.api.http.protobuf import tables, values
from pawl.local.schema import definitions

Obj = dict[str, Any]
Shape = Literal["one", "list", "map", "inline"]
Scalar = Literal["integer", "int32", "number", "boolean", "string", "bytes", "raw"]


@dataclass(frozen=True, slots=True)
class Field:
    """`scalar`, or else `message` says how its values (a map's values) are read. `keeps_zero`: a
    scalar's zero is shown."""

    name: str
    shape: Shape
    scalar: Scalar | None
    message: Callable[[], Message] | None
    keeps_zero: bool


@dataclass(frozen=True, slots=True)
class Message:
    """`finish` turns the decoded fields into what JSON shows, when that is no object."""

    fields: dict[int, Field]
    finish: Callable[[Obj], Any] | None


@cache
def message(name: str, inline: str = "") -> Message:
    """The message of a definition name; with `inline`, the part of it that is a message of its own
    (`VolumeSource` of `io.k8s.api.core.v1.Volume`). KeyError for what is not in the tables."""
    package = name.rpartition(".")[0]
    row = tables.rows()[f"{package}.{inline}" if inline else name]
    definition = definitions.raw().get(name, {})
    properties = values.PROPERTIES.get(name) or definition.get("properties", {})
    needed = definition.get("required", ())
    found: dict[int, Field] = {}
    for number, word in row.items():
        if word.startswith("+"):
            found[number] = Field("", "inline", None, _later(name, word[1:]), keeps_zero=False)
        else:
            label = word.rstrip("?")
            zero = word.endswith("?") or label in needed
            found[number] = _field(package, label, properties[label], zero)
    return Message(found, values.FINISH.get(name))


def _field(package: str, name: str, schema: Obj, keeps_zero: bool) -> Field:
    shape: Shape = "one"
    if _type(schema) == "array":
        shape, schema = "list", schema["items"]
    elif isinstance(schema.get("additionalProperties"), dict):
        shape, schema = "map", schema["additionalProperties"]
    if "$ref" in schema:
        below = _later(schema["$ref"].rpartition("/")[2])
        return Field(name, shape, None, below, keeps_zero)
    kind = _type(schema)
    if kind == "array":  # a map of lists: the list is a message
        return Field(name, shape, None, _later(f"{package}.ExtraValue"), keeps_zero)
    form = schema.get("format", "")
    scalar: Scalar = "bytes" if form == "byte" else "int32" if form == "int32" else kind
    return Field(name, shape, scalar, None, keeps_zero)


def _later(name: str, inline: str = "") -> Callable[[], Message]:
    return lambda: message(name, inline)


def _type(schema: Obj) -> Any:
    kind = schema.get("type")
    return next(one for one in kind if one != "null") if isinstance(kind, list) else kind
