"""The syntax tree of CEL. `at` is the offset that complaints about a node point to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Union

Node = Union[
    "Literal", "Ident", "Select", "Index", "Call", "ListOf", "MapOf", "Comprehension", "Bind"
]


@dataclass(frozen=True, slots=True)
class Literal:
    """A bool, int, Uint, float, str, bytes or None."""

    at: int
    value: Any


@dataclass(frozen=True, slots=True)
class Ident:
    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`; `test` for `has(operand.field)`, `optional` for `operand.?field`."""

    at: int
    operand: Node
    field: str
    test: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """`operand[key]`, or `operand[?key]`."""

    at: int
    operand: Node
    key: Node
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator (`_+_`); `target` for `target.function(arguments)`."""

    at: int
    function: str
    target: Node | None
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, ?b]`; `optional` holds the positions of elements written with `?`."""

    at: int
    elements: tuple[Node, ...]
    optional: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{key: value, ?key: optional value}`; the third is whether there was a `?`."""

    at: int
    entries: tuple[tuple[Node, Node, bool], ...]


@dataclass(frozen=True, slots=True)
class Comprehension:
    """A macro over the items of `over`, each bound to `names` (one name: the item of a list or the
    key of a map; two: index and item, or key and value). `kind` is the macro's name."""

    at: int
    kind: str
    over: Node
    names: tuple[str, ...]
    condition: Node | None
    result: Node | None


@dataclass(frozen=True, slots=True)
class Bind:
    """`optional.optMap(name, result)`; `flat` for optFlatMap, whose result is an optional."""

    at: int
    optional: Node
    name: str
    result: Node
    flat: bool
