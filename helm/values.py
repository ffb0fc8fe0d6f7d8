"""A chart's values.yaml as a table in Markdown.

A value is told by the comment above it; one without shares the comment of the value before it. A
blank line ends what a comment speaks of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

_KEY = re.compile(r"( *)([A-Za-z][\w-]*):")
_HEAD = """\
# Values of the chart

What may be set with `--set` or `-f` when the chart `helm/pawl` is installed. Generated from its
`values.yaml` by `make generate`; `values.schema.json` refuses what is not here.

| value | default | meaning |
|---|---|---|
"""


def table(text: str) -> str:
    """The page."""
    defaults, told = yaml.safe_load(text), dict(_told(text))
    return _HEAD + "".join(_row(name, told, defaults) for name in told)


def _told(text: str) -> Iterator[tuple[str, str]]:
    """Dotted path and meaning, in the order of the file."""
    for block in text.split("\n\n"):
        path: list[str] = []
        comment, open_ = "", False  # open_: the comment goes on in the next line
        for line in block.splitlines():
            if line.lstrip().startswith("#"):
                words = line.lstrip(" #")
                comment, open_ = f"{comment} {words}" if open_ else words, True
            elif key := _KEY.match(line):
                path = [*path[: len(key[1]) // 2], key[2]]
                open_ = False
                if comment:
                    yield ".".join(path), comment


def _row(name: str, told: dict[str, str], defaults: Any) -> str:
    for part in name.split("."):
        defaults = defaults[part]
    group = any(other.startswith(f"{name}.") for other in told)
    shown = "" if group else f"`{json.dumps(defaults)}`"
    meaning = told[name].replace("|", "\\|")
    return f"| `{name}` | {shown} | {meaning} |\n"
