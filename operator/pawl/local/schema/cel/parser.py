"""Text to syntax tree. Macros (`has`, `all`, `map`, …) are expanded here, as in cel-go."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from pawl.local.schema.cel.problems import CompileError, Issue
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
from pawl.local.schema.cel.tokens import Token, tokenize

_BINDING = {
    "||": 0, "&&": 1, "<": 2, "<=": 2, ">=": 2, ">": 2, "==": 2, "!=": 2, "in": 2,
    "+": 3, "-": 3, "*": 4, "/": 4, "%": 4,
}  # fmt: skip
_RESERVED = frozenset(
    {
        "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let",
        "loop", "package", "namespace", "return", "var", "void", "while",
    }
)  # fmt: skip
_TESTS = frozenset({"all", "exists", "exists_one", "existsOne"})
_DEPTH = 250
_TOO_DEEP = f"expression recursion limit exceeded: {_DEPTH}"


def parse(source: str) -> Node:
    """The tree of an expression. CompileError when it is none, or nested too deeply."""
    try:
        return _Parser(source).whole()
    except RecursionError:
        raise CompileError(source, [Issue(0, _TOO_DEEP)]) from None


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokenize(source)
        self.at = 0
        self.depth = 0

    def whole(self) -> Node:
        node = self.expression()
        if self.next.kind != "end":
            last = self.tokens[self.at + 1].kind == "end"
            what = "extraneous" if last else "mismatched"
            self.fail(f"Syntax error: {what} input '{self.next.text}' expecting <EOF>")
        return node

    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    def fail(self, message: str, at: int | None = None) -> NoReturn:
        raise CompileError(self.source, [Issue(self.next.at if at is None else at, message)])

    def take(self, *kinds: str) -> Token | None:
        token = self.next
        if token.kind not in kinds:
            return None
        self.at += 1
        return token

    def expect(self, kind: str) -> Token:
        token = self.next
        if token.kind != kind:
            if kind == "name":
                self.fail(f"Syntax error: no viable alternative at input '.{token.value or ''}'")
            self.fail(f"Syntax error: missing '{kind}' at '{token.text}'")
        self.at += 1
        return token

    def expression(self) -> Node:
        self.depth += 1
        if self.depth > _DEPTH:
            self.fail(_TOO_DEEP)
        condition = self.binary(0)
        token = self.take("?")
        if token:
            yes = self.binary(0)
            self.expect(":")
            no = self.expression()
            condition = Call(token.at, "_?_:_", None, (condition, yes, no))
        self.depth -= 1
        return condition

    def binary(self, least: int) -> Node:
        """Operators that bind at least as tightly as `least`, left to right."""
        left = self.unary()
        while (binding := _BINDING.get(self.next.kind, -1)) >= least:
            token = self.tokens[self.at]
            self.at += 1
            right = self.binary(binding + 1)
            name = "@in" if token.kind == "in" else f"_{token.kind}_"
            left = Call(token.at, name, None, (left, right))
        return left

    def unary(self) -> Node:
        token = self.take("!", "-")
        if token is None:
            return self.member()
        literal = self.next.value if self.next.kind == "literal" else None
        if token.kind == "-" and type(literal) in (int, float):
            return self.negative(token)
        operand = self.unary()
        return Call(token.at, "!_" if token.kind == "!" else "-_", None, (operand,))

    def negative(self, minus: Token) -> Node:
        """A negative number is a literal: -9223372036854775808 would not fit otherwise."""
        token = self.tokens[self.at]
        self.tokens[self.at] = Token("literal", minus.at, f"-{token.text}", -token.value)
        return self.member()

    def member(self) -> Node:
        node = self.primary()
        while token := self.take(".", "["):
            if token.kind == "[":
                optional = self.take("?") is not None
                key = self.expression()
                self.expect("]")
                node = Index(token.at, node, key, optional)
                continue
            optional = self.take("?") is not None
            name = self.expect("name")
            opening = None if optional else self.take("(")
            if opening:
                node = self.method(opening, node, name.text, self.arguments(")"))
            else:
                node = Select(token.at, node, name.text, optional=optional)
        return node

    def primary(self) -> Node:
        token = self.next
        makers: dict[str, Callable[[Token], Node]] = {
            "literal": self.literal,
            "(": lambda _token: self.nested(),
            "[": self.list_of,
            "{": self.map_of,
            "name": self.name,
            ".": lambda _token: self.name(self.expect("name")),
        }
        if token.kind not in makers:
            self.fail(
                f"Syntax error: mismatched input '{token.text}' expecting "
                "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, "
                "NUM_UINT, STRING, BYTES, IDENTIFIER}"
            )
        self.at += 1
        return makers[token.kind](token)

    def literal(self, token: Token) -> Node:
        if type(token.value) is int and token.value >= 2**63:
            self.fail("invalid int literal", token.at)
        return Literal(token.at, token.value)

    def nested(self) -> Node:
        node = self.expression()
        self.expect(")")
        return node

    def name(self, token: Token) -> Node:
        if token.text in _RESERVED:
            self.fail(f"reserved identifier: {token.text}", token.at)
        opening = self.take("(")
        if opening is None:
            return Ident(token.at, token.text)
        arguments = self.arguments(")")
        if token.text == "has":
            return self.has(opening, arguments)
        return Call(opening.at, token.text, None, arguments)

    def arguments(self, closing: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self.take(closing):
            found.append(self.expression())
            if not self.take(","):
                self.expect(closing)
                break
        return tuple(found)

    def list_of(self, token: Token) -> Node:
        elements: list[Node] = []
        optional: set[int] = set()
        while not self.take("]"):
            if self.take("?"):
                optional.add(len(elements))
            elements.append(self.expression())
            if not self.take(","):
                self.expect("]")
                break
        return ListOf(token.at, tuple(elements), frozenset(optional))

    def map_of(self, token: Token) -> Node:
        entries: list[tuple[Node, Node, bool]] = []
        while not self.take("}"):
            optional = self.take("?") is not None
            key = self.expression()
            self.expect(":")
            entries.append((key, self.expression(), optional))
            if not self.take(","):
                self.expect("}")
                break
        return MapOf(token.at, tuple(entries))

    def has(self, opening: Token, arguments: tuple[Node, ...]) -> Node:
        argument = arguments[0] if len(arguments) == 1 else None
        if not isinstance(argument, Select) or argument.optional:
            self.fail("invalid argument to has() macro", argument.at if argument else opening.at)
        return Select(opening.at, argument.operand, argument.field, test=True)

    def method(self, opening: Token, target: Node, name: str, args: tuple[Node, ...]) -> Node:
        """A method call, or the macro of that name and number of arguments."""
        count = len(args)
        if name in _TESTS and count in (2, 3):
            kind = "existsOne" if name == "exists_one" else name
            names = self.variables(opening, args[:-1])
            return Comprehension(opening.at, kind, target, names, args[-1], None)
        if name == "filter" and count == 2:
            names = self.variables(opening, args[:1])
            return Comprehension(opening.at, name, target, names, args[1], None)
        if (name == "map" and count in (2, 3)) or (name == "sortBy" and count == 2):
            condition = args[1] if count == 3 else None
            names = self.variables(opening, args[:1])
            return Comprehension(opening.at, name, target, names, condition, args[-1])
        if name in ("transformList", "transformMap", "transformMapEntry") and count in (3, 4):
            condition = args[2] if count == 4 else None
            names = self.variables(opening, args[:2])
            return Comprehension(opening.at, name, target, names, condition, args[-1])
        if name in ("optMap", "optFlatMap") and count == 2:
            (variable,) = self.variables(opening, args[:1])
            return Bind(opening.at, target, variable, args[1], name == "optFlatMap")
        return Call(opening.at, name, target, args)

    def variables(self, opening: Token, nodes: tuple[Node, ...]) -> tuple[str, ...]:
        names: list[str] = []
        for node in nodes:
            if not isinstance(node, Ident):
                self.fail("argument must be a simple name", getattr(node, "at", opening.at))
            names.append(node.name)
        return tuple(names)
