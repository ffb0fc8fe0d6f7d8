"""Text -> tree, of a closed set of nodes.

The grammar is a small part of Python's: numbers, texts, True and False, column names (`col("a b")`
where a name is no identifier), `+ - * / // % **`, comparisons (also `a < b < c`), `in`, `and`,
`or`, `not`, `x if condition else y`, the functions of `kinds.FUNCTIONS`, and
`fitted.<statistic>(column)`. Nothing else is understood, and nothing is ever executed: Python's
`ast` reads the text, and what is not in the list is refused. Text, nodes, depth and constants are
bounded.
"""

from __future__ import annotations

import ast
import difflib
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from pawl.errors import UserError
from pawl.expressions.kinds import FORMS, FUNCTIONS, STATISTICS, Kind

MAX_LENGTH = 1024
MAX_NODES = 200
MAX_DEPTH = 40
MAX_TEXT = 256


class ExpressionError(UserError):
    """An expression cannot be understood, or does not fit its columns."""

    reason = "InvalidExpression"


@dataclass(frozen=True, slots=True)
class Column:
    """The value of a column."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a boolean or a text."""

    value: float | bool | str

    @property
    def kind(self) -> Kind:
        """Of the value."""
        if isinstance(self.value, bool):
            return "boolean"
        return "text" if isinstance(self.value, str) else "number"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A statistic of a numeric column over the training rows."""

    statistic: str
    column: str

    @property
    def key(self) -> str:
        """Its name among what was fitted."""
        return f"{self.statistic}({self.column})"


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or a function (a key of `kinds.FORMS`) and its arguments."""

    name: str
    arguments: tuple[Node, ...]


Node = Column | Constant | Fitted | Call


def parse(text: str) -> Node:
    """ExpressionError says what is not understood."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression has at most {MAX_LENGTH:,} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python's compiler, about what is refused anyway
            tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        said = error.msg if isinstance(error, SyntaxError) else "not readable"
        raise ExpressionError(f'"{text[:80]}": {said}') from None
    return _Reader().read(tree.body, 0)


def nodes_of(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    if isinstance(node, Call):
        for argument in node.arguments:
            yield from nodes_of(argument)


def columns_of(node: Node) -> frozenset[str]:
    """The columns whose values of a row are needed. Those of statistics are not: they are fitted
    in training."""
    return frozenset(part.name for part in nodes_of(node) if isinstance(part, Column))


def fitted_of(node: Node) -> tuple[Fitted, ...]:
    """The statistics that are needed."""
    return tuple(dict.fromkeys(part for part in nodes_of(node) if isinstance(part, Fitted)))


_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
    ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
}  # fmt: skip
_COMPARED: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip


class _Reader:
    def __init__(self) -> None:
        self._left = MAX_NODES

    def read(self, node: ast.expr, depth: int) -> Node:
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise ExpressionError(
                f"an expression has at most {MAX_NODES} parts, {MAX_DEPTH} levels deep"
            )
        match node:
            case ast.Constant():
                return _constant(node)
            case ast.Name(id=name):
                return Column(name)
            case ast.Call():
                return self._call(node, depth + 1)
            case ast.Compare():
                return self._compare(node, depth + 1)
        name, operands = _operator(node)
        return _checked(name, tuple(self.read(operand, depth + 1) for operand in operands))

    def _call(self, node: ast.Call, depth: int) -> Node:
        match node:
            case ast.Call(
                func=ast.Name(id="col"), args=[ast.Constant(value=str(name))], keywords=[]
            ):
                return Column(name)
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="fitted"), attr=statistic),
                args=[argument],
                keywords=[],
            ):
                column = self.read(argument, depth)
                if statistic not in STATISTICS or not isinstance(column, Column):
                    raise ExpressionError(
                        f"{_shown(node)}: fitted has {', '.join(STATISTICS)} of a column"
                    )
                return Fitted(statistic, column.name)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
                return _checked(name, tuple(self.read(part, depth) for part in arguments))
        known = [*FUNCTIONS, "col"]
        close = difflib.get_close_matches(_shown(node.func), known, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ExpressionError(
            f"{_shown(node)} is not understood; {hint}there are {', '.join(sorted(known))}"
        )

    def _compare(self, node: ast.Compare, depth: int) -> Node:
        """`a < b < c` is `a < b and b < c`."""
        found: list[Node] = []
        left = self.read(node.left, depth)
        for op, other in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn):
                inside = self._inside(left, other, depth)
                found.append(Call("not", (inside,)) if isinstance(op, ast.NotIn) else inside)
                continue
            if type(op) not in _COMPARED:
                raise ExpressionError(f"{_shown(node)}: compare with ==, !=, <, <=, >, >= or in")
            right = self.read(other, depth)
            found.append(Call(_COMPARED[type(op)], (left, right)))
            left = right
        return found[0] if len(found) == 1 else _checked("and", tuple(found))

    def _inside(self, left: Node, other: ast.expr, depth: int) -> Node:
        """A list of constants to be one of, or a text to be a part of."""
        if isinstance(other, ast.List | ast.Tuple | ast.Set):
            listed = tuple(self.read(part, depth) for part in other.elts)
            if not all(isinstance(part, Constant) for part in listed):
                raise ExpressionError(f"{_shown(other)}: a list after in holds constants only")
            return _checked("in", (left, *listed))
        return Call("contains", (left, self.read(other, depth)))


def _operator(node: ast.expr) -> tuple[str, list[ast.expr]]:
    """Its name among the forms, and what it is of."""
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)], [left, right]
        case ast.UnaryOp(op=ast.USub() | ast.Not() as sign, operand=operand):
            return ("neg" if isinstance(sign, ast.USub) else "not"), [operand]
        case ast.BoolOp(op=both, values=values):
            return ("and" if isinstance(both, ast.And) else "or"), values
        case ast.IfExp(test=test, body=body, orelse=other):
            return "if", [test, body, other]
    raise ExpressionError(f"{_shown(node)} is not understood in an expression")


def _constant(node: ast.Constant) -> Constant:
    value = node.value
    if isinstance(value, bool):
        return Constant(value)
    if isinstance(value, str) and len(value) <= MAX_TEXT:
        return Constant(value)
    if isinstance(value, int | float):
        try:
            if math.isfinite(number := float(value)):
                return Constant(number)
        except OverflowError:
            pass
    raise ExpressionError(f"{_shown(node)} is no number, boolean or text that can be used")


def _checked(name: str, arguments: tuple[Node, ...]) -> Call:
    form = FORMS[name]
    if not form.fewest <= len(arguments) <= form.most:
        raise ExpressionError(f"{name} takes {form.wants}; {len(arguments)} were given")
    return Call(name, arguments)


def _shown(node: ast.AST) -> str:
    try:
        return ast.unparse(node)[:80]
    except RecursionError:
        return "something very deep"
