"""RE2 patterns (Go regexp syntax) run by Python's `re`.

RE2 has no look-around and no back references: a pattern that uses them is refused, as Go refuses
it. Differences that matter are rewritten: `$` and `\\z` are the end of the text (Python's `$` also
stands before a last newline), `\\d \\w \\s \\b` are ASCII, `[[:alpha:]]` classes, `\\Q…\\E`,
`(?P<n>…)` and `(?<n>…)`, `\\pL` for the letter, digit and punctuation categories.
"""

from __future__ import annotations

import re
from functools import lru_cache

_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": "\\x00-\\x7F", "blank": "\\t ",
    "cntrl": "\\x00-\\x1F\\x7F", "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~",
    "punct": "!-/:-@\\[-`{-~", "space": "\\t\\n\\v\\f\\r ", "upper": "A-Z", "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_PERL_OPERATOR = re.compile(r"\(\?(?:=|!|<=|<!|>|#|P=|\()")
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_MAX_REPEAT = 1000
_GREEDY_TOO = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})\+")


class PatternError(ValueError):
    """The pattern is not RE2; the message is worded like Go's."""


@lru_cache(maxsize=4096)
def compile(pattern: str) -> re.Pattern[str]:
    """Compile an RE2 pattern; use `.search` on the result (Go's MatchString is unanchored)."""
    try:
        return re.compile(_translate(pattern), re.ASCII)
    except (re.error, OverflowError) as error:
        raise PatternError(f"error parsing regexp: {error}: `{pattern}`") from error


def _translate(pattern: str) -> str:
    out: list[str] = []
    flags = ""
    at = 0
    multiline = False
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            piece, at = _escape(pattern, at)
        elif char == "[":
            piece, at = _char_class(pattern, at)
        elif char == "(" and pattern.startswith("(?", at):
            piece, at, flags = _group(pattern, at, flags)
            multiline = multiline or "m" in flags
        elif char == "$":
            piece, at = ("$" if multiline else r"\Z"), at + 1
        elif char in "*+?{":
            piece, at = _repetition(pattern, at)
        else:
            piece, at = char, at + 1
        out.append(piece)
    body = "".join(out)
    return f"(?{flags}:{body})" if flags else body


def _repetition(pattern: str, at: int) -> tuple[str, int]:
    if _GREEDY_TOO.match(pattern, at):
        raise PatternError(f"error parsing regexp: invalid nested repetition operator: `{pattern}`")
    repeat = _REPEAT.match(pattern, at)
    if repeat is None:
        return ("\\{" if pattern[at] == "{" else pattern[at]), at + 1
    if any(int(bound) > _MAX_REPEAT for bound in repeat.groups() if bound):
        raise PatternError(f"error parsing regexp: invalid repeat count: `{repeat[0]}`")
    return repeat[0], repeat.end()


def _group(pattern: str, at: int, flags: str) -> tuple[str, int, str]:
    """A group that starts with `(?`; a bare `(?i)` at the top becomes a flag of the whole."""
    bad = _PERL_OPERATOR.match(pattern, at)
    if bad:
        raise PatternError(
            f"error parsing regexp: invalid or unsupported Perl syntax: `{bad[0][:4]}`"
        )
    named = re.compile(r"\(\?P?<(\w+)>").match(pattern, at)
    if named:
        return f"(?P<{named[1]}>", named.end(), flags
    bare = re.compile(r"\(\?([imsU]+)\)").match(pattern, at)
    if bare:
        if "U" in bare[1]:
            raise PatternError(f"error parsing regexp: ungreedy flag not supported: `{bare[0]}`")
        return "", bare.end(), "".join(sorted(set(flags) | set(bare[1])))
    return "(?", at + 2, flags


def _escape(pattern: str, at: int) -> tuple[str, int]:
    if at + 1 >= len(pattern):
        raise PatternError("error parsing regexp: trailing backslash at end of expression: ``")
    char = pattern[at + 1]
    if char == "Q":
        end = pattern.find("\\E", at + 2)
        literal = pattern[at + 2 : end if end >= 0 else len(pattern)]
        return re.escape(literal), (end + 2 if end >= 0 else len(pattern))
    if char == "z":
        return r"\Z", at + 2
    if char == "x" and pattern.startswith("{", at + 2):
        end = pattern.index("}", at)
        return re.escape(chr(int(pattern[at + 3 : end], 16))), end + 1
    if char in "pP":
        return _unicode_class(pattern, at)
    if char.isdigit() and char != "0":
        raise PatternError(f"error parsing regexp: invalid escape sequence: `\\{char}`")
    return pattern[at : at + 2], at + 2


def _unicode_class(pattern: str, at: int) -> tuple[str, int]:
    if pattern.startswith("{", at + 2):
        end = pattern.index("}", at) + 1
        name = pattern[at + 3 : end - 1]
    else:
        end = at + 3
        name = pattern[at + 2 : end]
    inside = {"L": r"^\W\d_", "N": r"\d", "Nd": r"\d", "Lu": "A-Z", "Ll": "a-z"}.get(name)
    if inside is None:
        raise PatternError(f"error parsing regexp: invalid character class range: `\\p{name}`")
    if pattern[at + 1] == "P":
        inside = inside[1:] if inside.startswith("^") else f"^{inside}"
    return f"(?u:[{inside}])" if name in ("L", "N", "Nd") else f"[{inside}]", end


def _char_class(pattern: str, at: int) -> tuple[str, int]:
    """A bracket expression from `[` to its `]`."""
    out, start = ["["], at
    at += 1
    if pattern.startswith("^", at):
        out.append("^")
        at += 1
    if pattern.startswith("]", at):
        out.append("\\]")
        at += 1
    while at < len(pattern) and pattern[at] != "]":
        posix = re.compile(r"\[:(\^?)(\w+):\]").match(pattern, at)
        if posix and posix[2] in _POSIX and not posix[1]:
            out.append(_POSIX[posix[2]])
            at = posix.end()
        elif pattern[at] == "\\" and at + 1 < len(pattern):
            out.append(pattern[at : at + 2])
            at += 2
        else:
            out.append("\\" + pattern[at] if pattern[at] in "[&~|" else pattern[at])
            at += 1
    if at >= len(pattern):
        raise PatternError(f"error parsing regexp: missing closing ]: `{pattern[start:]}`")
    return "".join(out) + "]", at + 1
