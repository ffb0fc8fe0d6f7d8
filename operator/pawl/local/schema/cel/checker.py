"""Types of an expression (cel-go's checker): every field, variable and function must exist and
every call must fit an overload. Complaints are worded and placed like cel-go's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pawl.local.schema import regex
from pawl.local.schema.cel import celtypes as types
from pawl.local.schema.cel.celtypes import BOOL, DYN, ERROR, INT, Bindings, Type
from pawl.local.schema.cel.functions import known, overloads
from pawl.local.schema.cel.operators import TYPE_NAMES, to_timestamp
from pawl.local.schema.cel.problems import CompileError, EvaluationError, Issue
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
from pawl.local.schema.cel.values import parse_duration

Scope = Mapping[str, Type]
_LITERAL_READERS: dict[str, Callable[[str], object]] = {
    "matches": regex.compile,
    "duration": parse_duration,
    "timestamp": to_timestamp,
}
_PARAMETERS = {"list": types.list_of(DYN), "map": types.map_of(DYN, DYN)}
_LOGICAL = {"_&&_", "_||_"}


def check(source: str, tree: Node, variables: Scope) -> Type:
    """The type of the expression. CompileError with everything that is wrong."""
    checker = _Checker()
    result = checker.visit(tree, variables)
    found = checker.issues or checker.literals
    if found:
        raise CompileError(source, sorted(found, key=lambda issue: issue.at))
    return result


def qualified(node: Node, scope: Mapping[str, object]) -> str | None:
    """`a.b` of a chain of names that starts with no variable."""
    if isinstance(node, Ident):
        return None if node.name in scope else node.name
    if isinstance(node, Select) and not node.test and not node.optional:
        head = qualified(node.operand, scope)
        return f"{head}.{node.field}" if head else None
    return None


def dotted(node: Select, scope: Mapping[str, object]) -> str | None:
    """`a.b` when a variable of the scope is called so (as `authorizer.requestResource` is)."""
    name = qualified(node, {})
    return name if name in scope else None


class _Checker:
    def __init__(self) -> None:
        self.issues: list[Issue] = []
        self.literals: list[Issue] = []  # told only when the types are right
        self.mixed_allowed = False

    def complain(self, at: int, message: str) -> Type:
        self.issues.append(Issue(at, message))
        return ERROR

    def visit(self, node: Node, scope: Scope) -> Type:
        visitors: dict[type, Any] = {
            Literal: lambda node, _scope: types.type_of(node.value),
            Ident: self.ident,
            Select: self.select,
            Index: self.index,
            Call: self.call,
            ListOf: self.list_of,
            MapOf: self.map_of,
            Comprehension: self.comprehension,
            Bind: self.bind,
        }
        found: Type = visitors[type(node)](node, scope)
        return found

    def ident(self, node: Ident, scope: Scope) -> Type:
        if node.name in scope:
            return scope[node.name]
        if node.name in TYPE_NAMES:
            return types.type_of_type(_PARAMETERS.get(node.name, TYPE_NAMES[node.name]))
        return self.complain(node.at, f"undeclared reference to '{node.name}' (in container '')")

    def select(self, node: Select, scope: Scope) -> Type:
        variable = dotted(node, scope)
        if variable is not None:
            return scope[variable]
        name = qualified(node, scope)
        if name in TYPE_NAMES:
            return types.type_of_type(TYPE_NAMES[name])
        operand = self.visit(node.operand, scope)
        wrapped = operand.name == "optional_type"
        inner = operand.parameters[0] if wrapped and operand.parameters else operand
        found = self.field(node, inner)
        if node.test:
            return BOOL
        return types.optional_of(found) if (wrapped or node.optional) and found != ERROR else found

    def field(self, node: Select, operand: Type) -> Type:
        if operand in (DYN, ERROR):
            return operand
        if operand.fields is not None:
            found = operand.fields.get(node.field)
            return found or self.complain(node.at, f"undefined field '{node.field}'")
        if operand.name == "map":
            return operand.parameters[1] if operand.parameters else DYN
        return self.complain(node.at, f"type '{operand}' does not support field selection")

    def index(self, node: Index, scope: Scope) -> Type:
        operand = self.visit(node.operand, scope)
        key = self.visit(node.key, scope)
        wrapped = operand.name == "optional_type"
        inner = operand.parameters[0] if wrapped and operand.parameters else operand
        result: Type | None = None
        if inner in (DYN, ERROR):
            result = inner
        elif inner.name == "list" and types.assignable(INT, key, {}):
            result = inner.parameters[0] if inner.parameters else DYN
        elif inner.name == "map" and types.assignable(
            inner.parameters[0] if inner.parameters else DYN, key, {}
        ):
            result = inner.parameters[1] if inner.parameters else DYN
        if result is None:
            name = "_[?_]" if node.optional else "_[_]"
            return self.mismatch(node.at, name, [operand, key])
        return types.optional_of(result) if wrapped or node.optional else result

    def call(self, node: Call, scope: Scope) -> Type:
        if node.function == "_?_:_":
            return self.ternary(node, scope)
        target = node.target
        prefix = qualified(target, scope) if target is not None else None
        if prefix and known(f"{prefix}.{node.function}"):
            arguments = [self.visit(argument, scope) for argument in node.arguments]
            return self.resolve(node.at, f"{prefix}.{node.function}", arguments, method=False)
        arguments = [] if target is None else [self.visit(target, scope)]
        outside, self.mixed_allowed = self.mixed_allowed, node.function == "format"
        arguments += [self.visit(argument, scope) for argument in node.arguments]
        self.mixed_allowed = outside
        if node.function in _LOGICAL:
            for argument, found in zip(node.arguments, arguments, strict=True):
                if not types.assignable(BOOL, found, {}):
                    self.complain(argument.at, f"expected type 'bool' but found '{found}'")
            return BOOL
        found = self.resolve(node.at, node.function, arguments, method=target is not None)
        if found != ERROR:
            self.literal_argument(node)
        return found

    def literal_argument(self, node: Call) -> None:
        """Literals that the function will not be able to read are refused at once."""
        reader = _LITERAL_READERS.get(node.function)
        argument = node.arguments[-1] if node.arguments else None
        if reader is None or not isinstance(argument, Literal):
            return
        try:
            if isinstance(argument.value, str):
                reader(argument.value)
        except (EvaluationError, regex.PatternError):
            self.literals.append(Issue(argument.at, f"invalid {node.function} argument"))

    def ternary(self, node: Call, scope: Scope) -> Type:
        condition, yes, no = (self.visit(argument, scope) for argument in node.arguments)
        bound: Bindings = {}
        fits = types.assignable(BOOL, condition, bound)
        if not (fits and types.assignable(Type("A"), yes, bound)
                and types.assignable(Type("A"), no, bound)):  # fmt: skip
            return self.mismatch(node.at, "_?_:_", [condition, yes, no])
        return bound["A"]

    def resolve(self, at: int, name: str, arguments: list[Type], *, method: bool) -> Type:
        if not known(name):
            return self.complain(at, f"undeclared reference to '{name}' (in container '')")
        result: Type | None = None
        for candidate in overloads(name, method=method, count=len(arguments)):
            bound: Bindings = {}
            if all(
                types.assignable(formal, actual, bound)
                for formal, actual in zip(candidate.types, arguments, strict=True)
            ):
                given = types.substitute(candidate.result, bound)
                result = given if result in (None, given) else DYN
        return result or self.mismatch(at, name, arguments, method=method)

    def mismatch(self, at: int, name: str, arguments: list[Type], *, method: bool = False) -> Type:
        if ERROR in arguments:
            return ERROR
        shown = ", ".join(map(str, arguments[1:] if method else arguments))
        signature = f"{arguments[0]}.({shown})" if method else f"({shown})"
        return self.complain(
            at, f"found no matching overload for '{name}' applied to '{signature}'"
        )

    def list_of(self, node: ListOf, scope: Scope) -> Type:
        item: Type | None = None
        for at, element in enumerate(node.elements):
            found = self.visit(element, scope)
            if at in node.optional and found.name == "optional_type":
                found = found.parameters[0]
            item = self.joined(element, item, found)
        return types.list_of(item or DYN)

    def map_of(self, node: MapOf, scope: Scope) -> Type:
        key: Type | None = None
        value: Type | None = None
        for name, item, optional in node.entries:
            key = self.joined(name, key, self.visit(name, scope))
            found = self.visit(item, scope)
            if optional and found.name == "optional_type":
                found = found.parameters[0]
            value = self.joined(item, value, found)
        return types.map_of(key or DYN, value or DYN)

    def joined(self, node: Node, known_type: Type | None, found: Type) -> Type:
        """Elements of a literal must all have one type."""
        if known_type is None or known_type == found:
            return found
        bound: Bindings = {"A": known_type}
        if types.assignable(Type("A"), found, bound):
            return bound["A"]
        if not self.mixed_allowed:
            message = f"expected type '{known_type}' but found '{found}'"
            self.literals.append(Issue(node.at, message))
        return DYN

    def comprehension(self, node: Comprehension, scope: Scope) -> Type:
        over = self.visit(node.over, scope)
        first, second = self.range_types(node, over)
        names = dict(zip(node.names, (first, second), strict=False))
        if len(node.names) == 2 and over.name == "list":
            names = dict(zip(node.names, (INT, first), strict=True))
        inner = {**scope, **names}
        result = self.visit(node.result, inner) if node.result is not None else first
        if node.condition is not None:
            condition = self.visit(node.condition, inner)
            if not types.assignable(BOOL, condition, {}):
                self.bad_condition(node, condition, result)
        return self.comprehension_type(node, over, result)

    def bad_condition(self, node: Comprehension, condition: Type, result: Type) -> None:
        """The macros test with `&&` and `||`, count and gather with `?:`."""
        assert node.condition is not None  # noqa: S101 - the caller has looked
        if node.kind in ("all", "exists"):
            self.complain(node.condition.at, f"expected type 'bool' but found '{condition}'")
            return
        gathered = INT if node.kind == "existsOne" else types.list_of(result)
        self.mismatch(node.at, "_?_:_", [condition, gathered, gathered])

    def range_types(self, node: Comprehension, over: Type) -> tuple[Type, Type]:
        if over.name in ("list", "map") and over.parameters:
            return over.parameters[0], over.parameters[-1]
        if over not in (DYN, ERROR) and over.name not in ("list", "map"):
            self.complain(
                node.over.at,
                f"expression of type '{over}' cannot be range of a comprehension "
                "(must be list, map, or dynamic)",
            )
        return DYN, DYN

    @staticmethod
    def comprehension_type(node: Comprehension, over: Type, result: Type) -> Type:
        match node.kind:
            case "all" | "exists" | "existsOne":
                return BOOL
            case "filter" if over.name == "map" and over.parameters:
                return types.list_of(over.parameters[0])
            case "filter" | "sortBy":
                return over
            case "transformMap":
                key = over.parameters[0] if over.name == "map" and over.parameters else INT
                return types.map_of(key, result)
            case "transformMapEntry":
                return result
        return types.list_of(result)

    def bind(self, node: Bind, scope: Scope) -> Type:
        optional = self.visit(node.optional, scope)
        inner = optional.parameters[0] if optional.name == "optional_type" else DYN
        result = self.visit(node.result, {**scope, node.name: inner})
        return result if node.flat else types.optional_of(result)
