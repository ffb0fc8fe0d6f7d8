"""The registry of functions: every overload declares its type and its implementation at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pawl.local.schema.cel.celtypes import Type, fits, parse_type, split_types
from pawl.local.schema.cel.problems import EvaluationError

_SIGNATURE = re.compile(
    r"(?:(?P<target>\w+(?:\([^()]*\))?)\.)?(?P<name>[^().]+)\((?P<args>.*)\) -> (?P<result>.+)"
)
Implementation = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Overload:
    """`types` includes the receiver of a method as the first."""

    name: str
    method: bool
    types: tuple[Type, ...]
    result: Type
    run: Implementation


_registry: dict[str, list[Overload]] = {}


def overload(*signatures: str) -> Callable[[Implementation], Implementation]:
    """Register a function under signatures like `string.startsWith(string) -> bool`."""

    def register(run: Implementation) -> Implementation:
        for signature in signatures:
            declare(signature, run)
        return run

    return register


def declare(signature: str, run: Implementation) -> None:
    """A namespaced function is written `sets:contains(…)`."""
    match = _SIGNATURE.fullmatch(signature)
    if match is None:
        raise ValueError(f"not a signature: {signature}")
    name = match["name"].replace(":", ".")
    arguments = [parse_type(part) for part in split_types(match["args"])]
    if match["target"]:
        arguments.insert(0, parse_type(match["target"]))
    types = tuple(arguments)
    found = Overload(name, bool(match["target"]), types, parse_type(match["result"]), run)
    _registry.setdefault(name, []).append(found)


def known(name: str) -> bool:
    return name in _registry


def overloads(name: str, *, method: bool, count: int) -> list[Overload]:
    """The overloads of that name and style that take `count` values, the receiver included."""
    return [
        candidate
        for candidate in _registry.get(name, ())
        if candidate.method == method and len(candidate.types) == count
    ]


def dispatch(candidates: list[Overload]) -> Implementation:
    """One callable for several overloads, chosen by the runtime types."""
    if len(candidates) == 1 and all(kind.is_parameter or kind.name == "dyn"
                                    for kind in candidates[0].types):  # fmt: skip
        return candidates[0].run

    def call(*values: Any) -> Any:
        for candidate in candidates:
            if all(fits(kind, value) for kind, value in zip(candidate.types, values, strict=True)):
                return candidate.run(*values)
        name = candidates[0].name
        operator = not name[0].isalpha()
        raise EvaluationError("no such overload" if operator else f"no such overload: {name}")

    return call
