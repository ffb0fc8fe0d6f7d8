"""Field errors as kube-apiserver words them (apimachinery `field.Error`), and how they add up to
the message of an `Invalid` Status.

A field path is a string: `spec.steps[0].name`, map keys as `labels[key]`. The empty path is the
object itself and is printed `<nil>`, as Go prints a nil path.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pawl.local.schema import golang

REQUIRED = "FieldValueRequired"
INVALID = "FieldValueInvalid"
TYPE_INVALID = "FieldValueTypeInvalid"
NOT_SUPPORTED = "FieldValueNotSupported"
DUPLICATE = "FieldValueDuplicate"
FORBIDDEN = "FieldValueForbidden"
TOO_LONG = "FieldValueTooLong"
TOO_MANY = "FieldValueTooMany"
NOT_FOUND = "FieldValueNotFound"


class _Omitted:
    """The type of OMITTED."""


OMITTED = _Omitted()  # "Invalid value" without the value


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of `status.details.causes`; `str()` is its part of the Status message."""

    reason: str
    message: str
    field: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def child(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def index(path: str, at: int) -> str:
    return f"{path}[{at}]"


def key(path: str, name: str) -> str:
    return f"{path}[{name}]"


def required(path: str, detail: str = "") -> Cause:
    return _cause(REQUIRED, path, "Required value", detail)


def forbidden(path: str, detail: str) -> Cause:
    return _cause(FORBIDDEN, path, "Forbidden", detail)


def invalid(path: str, value: Any, detail: str) -> Cause:
    return _cause(INVALID, path, _with_value("Invalid value", value), detail)


def type_invalid(path: str, value: Any, detail: str) -> Cause:
    return _cause(TYPE_INVALID, path, _with_value("Invalid value", value), detail)


def duplicate(path: str, value: Any) -> Cause:
    return _cause(DUPLICATE, path, _with_value("Duplicate value", value), "")


def not_found(path: str, value: Any) -> Cause:
    return _cause(NOT_FOUND, path, _with_value("Not found", value), "")


def not_supported(path: str, value: Any, supported: Iterable[str]) -> Cause:
    values = ", ".join(map(golang.quote, supported))
    detail = f"supported values: {values}" if values else ""
    return _cause(NOT_SUPPORTED, path, _with_value("Unsupported value", value), detail)


def too_long(path: str, limit: int) -> Cause:
    unit = "byte" if limit == 1 else "bytes"
    return _cause(TOO_LONG, path, "Too long", f"may not be more than {limit} {unit}")


def too_many(path: str, actual: int, limit: int) -> Cause:
    unit = "item" if limit == 1 else "items"
    return _cause(TOO_MANY, path, f"Too many: {actual}", f"must have at most {limit} {unit}")


def _cause(reason: str, path: str, head: str, detail: str) -> Cause:
    return Cause(reason, f"{head}: {detail}" if detail else head, path or "<nil>")


def _with_value(head: str, value: Any) -> str:
    if value is OMITTED:
        return head
    if isinstance(value, str):
        return f"{head}: {golang.quote(value)}"
    if isinstance(value, bool | int | float):
        return f"{head}: {golang.plain(value)}"
    return f"{head}: {golang.to_json(value)}"


def aggregate(messages: Iterable[str]) -> str:
    """utilerrors.Aggregate.Error(): one message as it is, several as `[a, b]`, each once."""
    unique = list(dict.fromkeys(messages))
    return unique[0] if len(unique) == 1 else "[" + ", ".join(unique) + "]"


def invalid_message(group: str, kind: str, name: str, causes: Iterable[Cause]) -> str:
    """The `message` of a 422 Status: `TrainingJob.pawl.dev "x" is invalid: spec.model: …`."""
    qualified = f"{kind}.{group}" if group else kind
    return f'{qualified} "{name}" is invalid: {aggregate(map(str, causes))}'
