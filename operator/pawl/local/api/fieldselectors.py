"""Field selectors (apimachinery pkg/fields): `path=value`, `path==value`, `path!=value`, joined by
commas; `\\,`, `\\=` and `\\\\` stand for themselves. Which paths exist is up to each kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from pawl.local.api.selectors import Obj, SelectorError


@dataclass(frozen=True)
class Term:
    path: str
    value: str
    equal: bool


Getter = Callable[[Obj], str]


@lru_cache(maxsize=1024)
def parse(text: str) -> tuple[Term, ...]:
    """SelectorError when `text` is no selector."""
    terms = []
    for part in re.split(r"(?<!\\),", text):
        if not part:
            continue
        found = re.match(r"((?:\\.|[^\\=!])*)(!=|==|=)(.*)", part, re.DOTALL)
        if found is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{part}'")
        terms.append(Term(found[1], _unescape(found[3]), found[2] != "!="))
    return tuple(terms)


def _unescape(value: str) -> str:
    plain = re.sub(r"\\([\\,=])", lambda m: f"\0{m[1]}", value)
    bare = re.search(r"(?<!\0)[\\,=]", plain)
    if bare is not None:
        raise SelectorError(f"invalid field selector: unescaped character in value: {value}")
    return plain.replace("\0", "")


def compile(terms: Iterable[Term], getters: dict[str, Getter]) -> Callable[[Obj], bool]:
    """A filter. `getters` has every path of `terms`."""
    tests = [(getters[term.path], term.value, term.equal) for term in terms]
    return lambda obj: all((get(obj) == value) is equal for get, value, equal in tests)
