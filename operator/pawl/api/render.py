"""`python -m pawl.api.render [--check] ROOT`: writes crds/*.yaml and docs/api.md from the
models.

With --check nothing is written and the exit code says whether the files are what they should be.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pawl.api.crds import KINDS, all_crds
from pawl.constants import API_VERSION

_HEADER = "# Generated from operator/pawl/api by `make generate`; do not edit.\n"


def rendered() -> dict[str, str]:
    """File name relative to the project's root -> its content."""
    files = {
        f"crds/{crd['metadata']['name']}.yaml": _HEADER
        + yaml.safe_dump(crd, sort_keys=False, width=100, allow_unicode=True)
        for crd in all_crds()
    }
    files["docs/api.md"] = _reference()
    return files


def _reference() -> str:
    lines = [
        "# API reference",
        "",
        f"Group and version `{API_VERSION}`. Generated from the models by `make generate`.",
        "`kubectl explain` prints the same. A field in *italics* is required.",
    ]
    for kind, crd in zip(KINDS, all_crds(), strict=True):
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        lines += ["", f"## {kind.kind}", "", f"`{kind.plural}`, short `{kind.short}`. "]
        lines[-1] += schema["description"]
        for part in ("spec", "status"):
            node = schema["properties"][part]
            lines += ["", f"### {kind.kind} {part}", "", node["description"], ""]
            lines += ["| field | type | default | meaning |", "|---|---|---|---|"]
            lines += _rows(node, part)
            lines += _rules(node)
    return "\n".join(lines) + "\n"


def _rows(node: dict[str, Any], path: str) -> list[str]:
    rows = []
    for name, child in node.get("properties", {}).items():
        here = f"{path}.{name}"
        shown = f"*`{here}`*" if name in node.get("required", []) else f"`{here}`"
        default = child.get("default", "")
        default = f"`{default}`" if default not in ("", {}) else ""
        meaning = " ".join([child.get("description", ""), _bounds(child)]).strip()
        meaning = meaning.replace("|", "\\|").replace("\n", " ")
        rows.append(f"| {shown} | {_type(child)} | {default} | {meaning} |")
        if child.get("type") == "array" and "properties" in child["items"]:
            rows += _rows(child["items"], f"{here}[]")
        else:
            rows += _rows(child, here)
    return rows


def _type(node: dict[str, Any]) -> str:
    if node.get("x-kubernetes-int-or-string"):
        return "quantity"
    if node.get("type") == "array":
        return f"list of {_type(node['items'])}"
    if isinstance(node.get("additionalProperties"), dict):
        return f"map of {_type(node['additionalProperties'])}"
    return str(node.get("type", "any"))


def _bounds(node: dict[str, Any]) -> str:
    parts = []
    if "enum" in node:
        parts.append("One of " + ", ".join(f"`{value}`" for value in node["enum"]) + ".")
    for key, text, strict in (("minimum", "At least", "Above"), ("maximum", "At most", "Below")):
        if key in node:
            excluded = node.get(f"exclusive{key.capitalize()}")
            parts.append(f"{strict if excluded else text} {node[key]}.")
    return " ".join(parts)


def _rules(node: dict[str, Any]) -> list[str]:
    messages = list(_messages(node))
    return ["", "Refused otherwise:", "", *(f"- {text}" for text in messages)] if messages else []


def _messages(node: dict[str, Any]) -> list[str]:
    found = [rule["message"] for rule in node.get("x-kubernetes-validations", [])]
    children = list(node.get("properties", {}).values())
    if "items" in node:
        children.append(node["items"])
    for child in children:
        found += [text for text in _messages(child) if text not in found]
    return found


def stale(files: Mapping[str, str], root: Path, *, check: bool) -> list[str]:
    """Which files (name below the root -> content) are not what they should be; they are written
    unless `check`."""
    found = []
    for name, text in files.items():
        path = root / name
        if path.exists() and path.read_text() == text:
            continue
        found.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return found


def exit_code(found: list[str], *, check: bool) -> int:
    """1 when a check has found stale files, and says which."""
    if check and found:
        print("stale, run `make generate`: " + ", ".join(found))
        return 1
    return 0


def main(argv: list[str]) -> int:
    """Returns the exit code."""
    check = "--check" in argv
    root = Path(next(arg for arg in argv if arg != "--check"))
    return exit_code(stale(rendered(), root, check=check), check=check)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
