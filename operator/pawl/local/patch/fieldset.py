"""Sets of field paths (structured-merge-diff `fieldpath`), and their wire form FieldsV1.

A path is a tuple of elements, each written as in FieldsV1: `f:<name>`, `k:<keys as JSON>`,
`v:<value as JSON>`. A set is a tree: `members` are the elements that end a path here, `children`
lead on. An element may be both (`{".": {}, …}` in FieldsV1). Sets are shared: only `insert`
changes one, while it is being built.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pawl.local.schema import golang

Path = tuple[str, ...]


def field_element(name: str) -> str:
    return f"f:{name}"


def key_element(keys: dict[str, Any]) -> str:
    return "k:" + golang.to_json(keys)


def value_element(value: Any) -> str:
    return "v:" + golang.to_json(value)


def show(path: Path) -> str:
    """`.spec.containers[name="app"].image`, as conflicts print it."""
    return "".join(map(show_element, path))


def show_element(element: str) -> str:
    kind, text = element[0], element[2:]
    if kind == "f":
        return f".{text}"
    if kind == "k":
        keys = json.loads(text)
        return "[" + ",".join(f"{name}={_scalar(keys[name])}" for name in sorted(keys)) + "]"
    return f"[={_scalar(json.loads(text))}]" if kind == "v" else f"[{text}]"


def _scalar(value: Any) -> str:
    return golang.quote(value) if isinstance(value, str) else golang.plain(value)


class FieldSet:
    """A set of paths. `a | b`, `a & b` and `a - b` compare whole paths."""

    __slots__ = ("children", "members")

    def __init__(self) -> None:
        self.members: set[str] = set()
        self.children: dict[str, FieldSet] = {}

    @classmethod
    def of(cls, *paths: Path) -> FieldSet:
        built = cls()
        for path in paths:
            built.insert(path)
        return built

    def insert(self, path: Path) -> None:
        """The empty path (the object itself) is never a member."""
        if not path:
            return
        node = self
        for element in path[:-1]:
            node = node.children.setdefault(element, FieldSet())
        node.members.add(path[-1])

    def __bool__(self) -> bool:
        return bool(self.members) or any(self.children.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldSet) and set(self) == set(other)

    __hash__ = None  # type: ignore[assignment]  # mutable while it is built

    def __contains__(self, path: Path) -> bool:
        node: FieldSet | None = self
        for element in path[:-1]:
            node = node.children.get(element) if node else None
        return node is not None and bool(path) and path[-1] in node.members

    def __iter__(self) -> Iterator[Path]:
        for element in sorted(self.members | self.children.keys(), key=_order):
            if element in self.members:
                yield (element,)
            if element in self.children:
                for rest in self.children[element]:
                    yield (element, *rest)

    def under(self, element: str) -> FieldSet:
        """The paths below an element, without it."""
        return self.children.get(element, NOTHING)

    @property
    def _bare(self) -> bool:
        return not self.members and not self.children

    def __or__(self, other: FieldSet) -> FieldSet:
        if self._bare or other._bare:
            return other if self._bare else self
        result = FieldSet()
        result.members = self.members | other.members
        for element in self.children.keys() | other.children.keys():
            result.children[element] = self.under(element) | other.under(element)
        return result

    def __and__(self, other: FieldSet) -> FieldSet:
        result = FieldSet()
        result.members = self.members & other.members
        for element in self.children.keys() & other.children.keys():
            result._adopt(element, self.children[element] & other.children[element])
        return result

    def __sub__(self, other: FieldSet) -> FieldSet:
        if other._bare:
            return self
        result = FieldSet()
        result.members = self.members - other.members
        for element, child in self.children.items():
            result._adopt(element, child - other.under(element))
        return result

    def without_below(self, other: FieldSet) -> FieldSet:
        """Leave out the members of `other` and everything below them."""
        if other._bare:
            return self
        result = FieldSet()
        result.members = self.members - other.members
        for element, child in self.children.items():
            if element not in other.members:
                result._adopt(element, child.without_below(other.under(element)))
        return result

    def _adopt(self, element: str, child: FieldSet) -> None:
        if child:
            self.children[element] = child

    def to_fields(self) -> dict[str, Any]:
        """The FieldsV1 object."""
        fields: dict[str, Any] = {}
        for element in sorted(self.members | self.children.keys(), key=_order):
            below = self.children[element].to_fields() if self.under(element) else {}
            own: dict[str, Any] = {".": {}} if below and element in self.members else {}
            fields[element] = {**own, **below}
        return fields

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> FieldSet:
        """From a FieldsV1 object. ValueError for keys that are no path elements."""
        result = cls()
        for key, below in fields.items():
            if key == ".":
                continue
            element = _canonical(key)
            if not below or "." in below:
                result.members.add(element)
            result._adopt(element, cls.from_fields(below or {}))
        return result


NOTHING = FieldSet()


@lru_cache(maxsize=4096)
def _canonical(element: str) -> str:
    kind, text = element[:2], element[2:]
    if kind in ("k:", "v:"):
        return kind + golang.to_json(json.loads(text))
    if kind in ("f:", "i:"):
        return element
    raise ValueError(f"missing colon: {element}")


def _order(element: str) -> tuple[int, str]:
    return "fkvi".index(element[0]), element
