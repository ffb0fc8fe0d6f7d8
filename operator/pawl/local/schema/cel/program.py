"""Tree to closures. An expression is built once and run on many activations (dicts of variables).

Errors are EvaluationErrors; `&&`, `||` and the tests over lists forgive an error when the other
side decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from pawl.local.schema.cel.celtypes import type_of
from pawl.local.schema.cel.checker import dotted, qualified
from pawl.local.schema.cel.functions import Overload, dispatch, known, overloads
from pawl.local.schema.cel.operators import TYPE_NAMES, equal
from pawl.local.schema.cel.problems import EvaluationError
from pawl.local.schema.cel.syntax import (
    Bind,
    Call,
    Comprehension,
    Ident,
    Index,
    ListOf,
    Literal,
    MapOf,
    Node,
    Select,
)
from pawl.local.schema.cel.values import NONE, Optional

Activation = Mapping[str, Any]
Program = Callable[[Activation], Any]


def build(node: Node, names: frozenset[str]) -> Program:
    """A program for a checked tree; `names` are the variables it may use."""
    program: Program = _BUILDERS[type(node)](node, names)
    return program


def _literal(node: Literal, _names: frozenset[str]) -> Program:
    value = node.value
    return lambda _variables: value


def _ident(node: Ident, names: frozenset[str]) -> Program:
    name = node.name
    if name not in names and name in TYPE_NAMES:
        kind = TYPE_NAMES[name]
        return lambda _variables: kind
    return lambda variables: variables[name]


def _select(node: Select, names: frozenset[str]) -> Program:
    scope = dict.fromkeys(names)
    variable = dotted(node, scope)
    if variable is not None:
        return lambda variables: variables[variable]
    name = qualified(node, scope)
    if name in TYPE_NAMES:
        kind = TYPE_NAMES[name]
        return lambda _variables: kind
    operand, field = build(node.operand, names), node.field

    def present(variables: Activation) -> bool:
        value = _unwrap(operand(variables))
        return isinstance(value, dict) and field in value

    def optional(variables: Activation) -> Optional:
        value = _unwrap(operand(variables))
        found = isinstance(value, dict) and field in value
        return Optional(True, value[field]) if found else NONE

    def plain(variables: Activation) -> Any:
        value = operand(variables)
        if isinstance(value, Optional):
            return optional(variables)
        if isinstance(value, list):
            raise EvaluationError("unsupported index type 'string' in list")
        if not isinstance(value, dict) or field not in value:
            raise EvaluationError(f"no such key: {field}")
        return value[field]

    return present if node.test else (optional if node.optional else plain)


def _unwrap(value: Any) -> Any:
    """What is in an optional; None when nothing is."""
    return value.value if isinstance(value, Optional) else value


def _index(node: Index, names: frozenset[str]) -> Program:
    operand, key = build(node.operand, names), build(node.key, names)

    def look_up(variables: Activation) -> Any:
        value, at = operand(variables), key(variables)
        if not (node.optional or isinstance(value, Optional)):
            return _item(value, at)
        try:
            inner = _unwrap(value)
            return NONE if inner is None else Optional(True, _item(inner, at))
        except EvaluationError:
            return NONE

    return look_up


def _item(value: Any, at: Any) -> Any:
    if isinstance(value, list):
        if isinstance(at, bool) or not isinstance(at, int | float) or at != int(at):
            raise EvaluationError(f"unsupported index type '{type_of(at)}' in list")
        if not 0 <= at < len(value):
            raise EvaluationError(f"index out of bounds: {int(at)}")
        return value[int(at)]
    if not isinstance(value, dict):
        raise EvaluationError("no such overload")
    for name in value:
        if equal(name, at):
            return value[name]
    raise EvaluationError(f"no such key: {at}")


def _call(node: Call, names: frozenset[str]) -> Program:
    if node.function in ("_&&_", "_||_"):
        return _logical(node, names)
    arguments = [build(argument, names) for argument in node.arguments]
    if node.function == "_?_:_":
        return _ternary(*arguments)
    target = node.target
    prefix = qualified(target, dict.fromkeys(names)) if target is not None else None
    name = node.function
    if prefix and known(f"{prefix}.{name}"):
        name, target = f"{prefix}.{name}", None
    elif target is not None:
        arguments.insert(0, build(target, names))
    candidates: list[Overload] = overloads(name, method=target is not None, count=len(arguments))
    run = dispatch(candidates)
    return lambda variables: run(*[argument(variables) for argument in arguments])


def _ternary(condition: Program, yes: Program, no: Program) -> Program:
    return lambda variables: yes(variables) if _truth(condition(variables)) else no(variables)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise EvaluationError("no such overload")
    return value


def _logical(node: Call, names: frozenset[str]) -> Program:
    """Commutative: a side that decides wins over an error on the other."""
    left, right = (build(argument, names) for argument in node.arguments)
    decisive = node.function == "_||_"

    def run(variables: Activation) -> bool:
        try:
            first = _truth(left(variables))
        except EvaluationError as failure:
            with suppress(EvaluationError):
                if _truth(right(variables)) is decisive:
                    return decisive
            raise failure from None
        return first if first is decisive else _truth(right(variables))

    return run


def _list(node: ListOf, names: frozenset[str]) -> Program:
    elements = [(build(item, names), at in node.optional) for at, item in enumerate(node.elements)]

    def run(variables: Activation) -> list[Any]:
        found = []
        for element, optional in elements:
            value = element(variables)
            if not optional:
                found.append(value)
            elif value.present:
                found.append(value.value)
        return found

    return run


def _map(node: MapOf, names: frozenset[str]) -> Program:
    entries = [(build(k, names), build(v, names), optional) for k, v, optional in node.entries]

    def run(variables: Activation) -> dict[Any, Any]:
        found = {}
        for key, item, optional in entries:
            name, value = key(variables), item(variables)
            if name in found:
                raise EvaluationError(f"Failed with repeated key: {name}")
            if not optional:
                found[name] = value
            elif value.present:
                found[name] = value.value
        return found

    return run


def _bind(node: Bind, names: frozenset[str]) -> Program:
    optional, result = build(node.optional, names), build(node.result, names | {node.name})

    def run(variables: Activation) -> Optional:
        value = optional(variables)
        if not value.present:
            return NONE
        mapped = result({**variables, node.name: value.value})
        return mapped if node.flat else Optional(True, mapped)

    return run


def _comprehension(node: Comprehension, names: frozenset[str]) -> Program:
    over = build(node.over, names)
    inner = names | set(node.names)
    condition = build(node.condition, inner) if node.condition is not None else None
    result = build(node.result, inner) if node.result is not None else None

    def scopes(variables: Activation) -> Iterator[tuple[Any, Activation]]:
        """(item of a list or key of a map, variables) for every turn."""
        value = over(variables)
        if not isinstance(value, list | dict):
            kind = type_of(value).name.capitalize()
            raise EvaluationError(f"got 'types.{kind}', expected iterable type")
        pairs = enumerate(value) if isinstance(value, list) else value.items()
        for key, item in pairs:
            single = item if isinstance(value, list) else key
            bound = (key, item) if len(node.names) == 2 else (single,)
            yield single, {**variables, **dict(zip(node.names, bound, strict=True))}

    if condition is not None and node.kind in ("all", "exists", "existsOne"):
        return _test(node.kind, condition, scopes)
    return _gather(node, condition, result, scopes)


Scopes = Callable[[Activation], Iterator[tuple[Any, Activation]]]


def _test(kind: str, condition: Program, scopes: Scopes) -> Program:
    decisive = kind == "exists"

    def any_or_all(variables: Activation) -> bool:
        failure: EvaluationError | None = None
        for _, inner in scopes(variables):
            try:
                if _truth(condition(inner)) is decisive:
                    return decisive
            except EvaluationError as error:
                failure = error
        if failure is not None:
            raise failure
        return not decisive

    def exactly_one(variables: Activation) -> bool:
        return sum(_truth(condition(inner)) for _, inner in scopes(variables)) == 1

    return exactly_one if kind == "existsOne" else any_or_all


def _gather(
    node: Comprehension, condition: Program | None, result: Program | None, scopes: Scopes
) -> Program:
    def chosen(variables: Activation) -> Iterator[tuple[Any, Any]]:
        """(key or item, result) of the turns whose condition holds."""
        for key, inner in scopes(variables):
            if condition is None or _truth(condition(inner)):
                mine = inner[node.names[0]] if len(node.names) == 2 else key
                yield mine, key if result is None else result(inner)

    def as_list(variables: Activation) -> list[Any]:
        return [value for _, value in chosen(variables)]

    def as_map(variables: Activation) -> dict[Any, Any]:
        return dict(chosen(variables))

    def merged(variables: Activation) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for _, entry in chosen(variables):
            found |= entry
        return found

    def by_key(variables: Activation) -> list[Any]:
        return [item for item, _ in sorted(chosen(variables), key=lambda pair: pair[1])]

    kinds = {"transformMap": as_map, "transformMapEntry": merged, "sortBy": by_key}
    return kinds.get(node.kind, as_list)


_BUILDERS: dict[type, Callable[..., Program]] = {
    Literal: _literal,
    Ident: _ident,
    Select: _select,
    Index: _index,
    Call: _call,
    ListOf: _list,
    MapOf: _map,
    Comprehension: _comprehension,
    Bind: _bind,
}
