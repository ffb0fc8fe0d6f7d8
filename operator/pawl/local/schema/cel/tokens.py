"""The words of CEL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pawl.local.schema.cel.problems import CompileError, Issue
from pawl.local.schema.cel.values import Uint

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n\f]+|//[^\n]*)
  | (?P<string>(?:[rR][bB]?|[bB][rR]?)?(?:\"\"\".*?(?<!\\)\"\"\"|'''.*?(?<!\\)'''
        |"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
  | (?P<rawstring>[rR](?:"[^"\n]*"|'[^'\n]*'))
  | (?P<double>(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
  | (?P<integer>0x[0-9a-fA-F]+[uU]?|\d+[uU]?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<operator>&&|\|\||<=|>=|==|!=|[-+*/%!<>?:.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})"
    r"|([0-3][0-7]{2})|(.))",
    re.DOTALL,
)
_SIMPLE = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))
_LITERAL_NAMES = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is `literal`, `name`, `end`, or the operator itself."""

    kind: str
    at: int
    text: str
    value: Any = None


def tokenize(source: str) -> list[Token]:
    """All tokens, the last of kind `end`. CompileError for what is no token."""
    tokens: list[Token] = []
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            shown = source[at]
            raise CompileError(
                source, [Issue(at, f"Syntax error: token recognition error at: '{shown}'")]
            )
        if match.lastgroup != "space":
            tokens.append(_token(source, match))
        at = match.end()
    tokens.append(Token("end", len(source), "<EOF>"))
    return tokens


def _token(source: str, match: re.Match[str]) -> Token:
    text, at = match[0], match.start()
    kind = match.lastgroup
    if kind == "operator":
        return Token(text, at, text)
    if kind == "name":
        if text in _LITERAL_NAMES:
            return Token("literal", at, text, _LITERAL_NAMES[text])
        return Token("in" if text == "in" else "name", at, text)
    try:
        return Token("literal", at, text, _literal(kind, text))
    except ValueError as error:
        raise CompileError(source, [Issue(at, str(error))]) from error


def _literal(kind: str | None, text: str) -> Any:
    if kind == "double":
        return float(text)
    if kind == "integer":
        value = int(text.rstrip("uU"), 0)
        unsigned = text[-1] in "uU"
        if value >= (2**64 if unsigned else 2**63 + 1):
            raise ValueError("invalid uint literal" if unsigned else "invalid int literal")
        return Uint(value) if unsigned else value
    return _string(text)


def _string(text: str) -> str | bytes:
    quote = re.search(r"\"\"\"|'''|[\"']", text)
    assert quote is not None  # noqa: S101 - the token pattern requires a quote
    prefix = text[: quote.start()].lower()
    body = text[quote.end() : len(text) - len(quote[0])]
    binary = "b" in prefix
    if "r" not in prefix:
        body = _ESCAPE.sub(lambda match: _unescape(match, binary=binary), body)
    return body.encode("latin-1" if binary and body.isascii() else "utf-8") if binary else body


def _unescape(match: re.Match[str], *, binary: bool) -> str:
    hex_code = match[1] or match[2] or match[3] or match[4]
    if hex_code:
        return chr(int(hex_code, 16))
    if match[5]:
        return chr(int(match[5], 8))
    char = match[6]
    if char in _SIMPLE:
        return _SIMPLE[char]
    if char in "\"'`\\?":
        return char
    raise ValueError(f"unable to unescape string: \\{char}" + (" in bytes" if binary else ""))
