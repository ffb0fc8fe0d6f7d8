"""The JSONPath of printer columns (client-go util/jsonpath, what CRDs may use of it): fields,
`['quoted fields']`, indices, slices, `[*]`, and filters like `[?(@.type=="Ready")]`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

Step = Callable[[Any], Iterator[Any]]

_TOKEN = re.compile(
    r"""\.?\[\s*(?:
        '(?P<single>[^']*)' | "(?P<double>[^"]*)" | (?P<all>\*)
      | (?P<slice>-?\d*:-?\d*(?::\d+)?) | (?P<index>-?\d+)
      | \?\(\s*@(?P<left>[^=!<>~)]*?)\s*
          (?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<right>[^)]*?))?\s*\)
    )\s*\]
    | \.(?P<field>(?:\\.|[^.\[\\])+)
    | \.\.(?P<deep>[^.\[]+)""",
    re.VERBOSE,
)


class PathError(ValueError):
    """Not a path that is understood."""


@lru_cache(maxsize=512)
def compile_path(path: str) -> tuple[Step, ...]:
    """`.status.conditions[?(@.type=="Ready")].status`, with or without braces and `$`."""
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$").removeprefix("@")
    if text and text[0] not in ".[":
        text = "." + text
    steps: list[Step] = []
    at = 0
    while at < len(text):
        if text[at:] == ".":
            break
        found = _TOKEN.match(text, at)
        if found is None:
            raise PathError(f"cannot read {path!r} from {text[at:]!r} on")
        steps.append(_step(found))
        at = found.end()
    return tuple(steps)


def find(path: str, obj: Any) -> list[Any]:
    """All values at the path; empty when there are none."""
    values = [obj]
    for step in compile_path(path):
        values = [result for value in values for result in step(value)]
    return values


def _step(found: re.Match[str]) -> Step:
    part = found.groupdict()
    named = part["single"] or part["double"] or part["field"]
    if named:
        field = re.sub(r"\\(.)", r"\1", named)
        return _everything if field == "*" else lambda value: _field(value, field)
    if part["deep"] is not None:
        return lambda value: _deep(value, part["deep"])
    if part["all"] is not None:
        return _everything
    if part["index"] is not None:
        number = int(part["index"])
        return lambda value: iter(_item(value, number))
    if part["slice"] is not None:
        bounds = [int(bound) if bound else None for bound in part["slice"].split(":")]
        return lambda value: iter(value[slice(*bounds)] if isinstance(value, list) else ())
    return _filter(part["left"], part["op"], part["right"])


def _field(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, dict) and name in value:
        yield value[name]


def _item(value: Any, number: int) -> list[Any]:
    if isinstance(value, list) and -len(value) <= number < len(value):
        return [value[number]]
    return []


def _everything(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()


def _deep(value: Any, name: str) -> Iterator[Any]:
    yield from _field(value, name)
    for child in _everything(value):
        yield from _deep(child, name)


def _filter(left: str, operator: str | None, right: str) -> Step:
    literal = _literal(right) if operator else None

    def matches(item: Any) -> bool:
        values = find(left or "", item) if left else [item]
        if operator is None:
            return bool(values)
        return any(_compare(value, operator, literal) for value in values)

    return lambda value: (item for item in _everything(value) if matches(item))


def _literal(text: str) -> Any:
    if text[:1] in "'\"" and text[-1:] == text[:1]:
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        raise PathError(f"cannot compare with {text!r}") from None


def _compare(value: Any, operator: str, literal: Any) -> bool:
    if operator == "==":
        return bool(value == literal)
    if operator == "!=":
        return bool(value != literal)
    if type(value) is not type(literal) and not (
        isinstance(value, int | float) and isinstance(literal, int | float)
    ):
        return False
    compared: dict[str, bool] = {
        "<": value < literal,
        "<=": value <= literal,
        ">": value > literal,
        ">=": value >= literal,
    }
    return compared[operator]
