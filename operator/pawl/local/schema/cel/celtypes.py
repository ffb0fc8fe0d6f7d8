"""Types of CEL, and when one may stand for another (cel-go's checker)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pawl.local.schema.cel.values import Duration, Optional, Quantity, Uint


@dataclass(frozen=True, slots=True)
class Type:
    """A type by name, with parameters (`list(int)`), or with fields for an object. A name of one
    capital letter is a type parameter of a function."""

    name: str
    parameters: tuple[Type, ...] = ()
    fields: Mapping[str, Type] | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        shown = {"null_type": "null", "dyn": "dyn"}.get(self.name, self.name)
        inner = ", ".join(map(str, self.parameters))
        return f"{shown}({inner})" if inner else shown

    @property
    def is_parameter(self) -> bool:
        return len(self.name) == 1


BOOL, INT, UINT, DOUBLE = Type("bool"), Type("int"), Type("uint"), Type("double")
STRING, BYTES, NULL, DYN = Type("string"), Type("bytes"), Type("null_type"), Type("dyn")
DURATION, TIMESTAMP = Type("duration"), Type("timestamp")
ERROR = Type("!error!")
QUANTITY, URL = Type("kubernetes.Quantity"), Type("kubernetes.URL")
SEMVER = Type("kubernetes.Semver")
IP, CIDR, FORMAT = Type("net.IP"), Type("net.CIDR"), Type("kubernetes.NamedFormat")
_AUTHZ = "kubernetes.authorization"
AUTHORIZER, DECISION = Type(f"{_AUTHZ}.Authorizer"), Type(f"{_AUTHZ}.Decision")
PATH_CHECK, GROUP_CHECK = Type(f"{_AUTHZ}.PathCheck"), Type(f"{_AUTHZ}.GroupCheck")
RESOURCE_CHECK = Type(f"{_AUTHZ}.ResourceCheck")
_BY_WORD = {
    "null": NULL, "quantity": QUANTITY, "url": URL, "ip": IP, "cidr": CIDR, "format": FORMAT,
    "semver": SEMVER, "authorizer": AUTHORIZER, "path_check": PATH_CHECK,
    "group_check": GROUP_CHECK, "resource_check": RESOURCE_CHECK, "decision": DECISION,
}  # fmt: skip
_VALUES_THAT_MAY_BE_NULL = frozenset({"duration", "timestamp", "optional_type", "null_type"})


def list_of(item: Type) -> Type:
    return Type("list", (item,))


def map_of(key: Type, value: Type) -> Type:
    return Type("map", (key, value))


def optional_of(inner: Type) -> Type:
    return Type("optional_type", (inner,))


def type_of_type(inner: Type) -> Type:
    return Type("type", (inner,))


def parse_type(text: str) -> Type:
    """`list(A)`, `map(string,dyn)`, `optional(A)`, `quantity`."""
    match = re.fullmatch(r"(\w+)(?:\((.*)\))?", text.strip())
    if match is None:
        raise ValueError(f"not a type: {text}")
    word, inner = match[1], match[2]
    parameters = tuple(parse_type(part) for part in split_types(inner)) if inner else ()
    if word in _BY_WORD:
        return _BY_WORD[word]
    return Type("optional_type" if word == "optional" else word, parameters)


def split_types(text: str) -> list[str]:
    """The comma-separated types of a list, minding parentheses."""
    return [part for part in re.split(r",\s*(?![^()]*\))", text) if part]


Bindings = dict[str, Type]


def assignable(formal: Type, actual: Type, bound: Bindings) -> bool:
    """May a value of type `actual` be given where `formal` is asked? Binds type parameters."""
    if formal.is_parameter:
        return _bind(formal.name, actual, bound)
    if DYN in (formal, actual) or ERROR in (formal, actual):
        return True
    if NULL in (formal, actual):
        other = actual if formal == NULL else formal
        return other.name in _VALUES_THAT_MAY_BE_NULL or other.fields is not None
    return (
        formal.name == actual.name
        and len(formal.parameters) == len(actual.parameters)
        and all(
            assignable(inner, other, bound)
            for inner, other in zip(formal.parameters, actual.parameters, strict=True)
        )
    )


def _bind(name: str, actual: Type, bound: Bindings) -> bool:
    known = bound.get(name)
    if known is None:
        bound[name] = actual
        return True
    if not assignable(known, actual, bound):
        return False
    if _has_dyn(actual) or known == NULL:
        bound[name] = actual
    return True


def _has_dyn(kind: Type) -> bool:
    return kind == DYN or any(map(_has_dyn, kind.parameters))


def substitute(kind: Type, bound: Bindings) -> Type:
    """The type with its parameters filled in; what is not bound is dyn."""
    if kind.is_parameter:
        return bound.get(kind.name, DYN)
    if not kind.parameters:
        return kind
    return Type(kind.name, tuple(substitute(inner, bound) for inner in kind.parameters))


def type_of(value: Any) -> Type:
    """The runtime type, without parameters for containers."""
    for python, kind in _RUNTIME:
        if isinstance(value, python):
            return kind
    return Type(str(getattr(value, "cel_type", type(value).__name__)))


_RUNTIME: tuple[tuple[type, Type], ...] = (
    (bool, BOOL),
    (Uint, UINT),
    (int, INT),
    (float, DOUBLE),
    (str, STRING),
    (bytes, BYTES),
    (type(None), NULL),
    (list, Type("list")),
    (dict, Type("map")),
    (Duration, DURATION),
    (datetime, TIMESTAMP),
    (Optional, Type("optional_type")),
    (Quantity, QUANTITY),
    (Type, Type("type")),
)


def fits(kind: Type, value: Any) -> bool:
    """Does a runtime value have this (declared) type, as far as one can see without looking into
    containers?"""
    return kind == DYN or kind.is_parameter or type_of(value).name == kind.name
