"""Semantic versions (Kubernetes' `semver` library)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pawl.local.schema.cel.functions import declare, overload
from pawl.local.schema.cel.problems import EvaluationError

_NUMBER = r"(0|[1-9]\d*)"
_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    r"(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)


@dataclass(frozen=True, slots=True)
class Semver:
    core: tuple[int, int, int]
    pre: tuple[str, ...]
    build: str
    cel_type = "kubernetes.Semver"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Semver) and compare(self, other) == 0

    def __hash__(self) -> int:
        return hash((self.core, self.pre))


def _normalise(text: str) -> str:
    """`v01.2` is 1.2.0."""
    core, dash, rest = text.removeprefix("v").partition("-")
    parts = [part.lstrip("0") or "0" for part in core.split(".")]
    return ".".join([*parts, "0", "0"][: max(3, len(parts))]) + dash + rest


@overload("semver(string) -> semver", "semver(string,bool) -> semver")
def _parse(text: str, normalise: bool = False) -> Semver:
    match = _VERSION.fullmatch(_normalise(text) if normalise else text)
    if match is None:
        raise EvaluationError("Semver parse error during conversion from string: "
                              "No Major.Minor.Patch elements found")  # fmt: skip
    core = (int(match[1]), int(match[2]), int(match[3]))
    return Semver(core, tuple(match[4].split(".")) if match[4] else (), match[5] or "")


@overload("isSemver(string) -> bool", "isSemver(string,bool) -> bool")
def _is_semver(text: str, normalise: bool = False) -> bool:
    return _VERSION.fullmatch(_normalise(text) if normalise else text) is not None


def _identifier(text: str) -> tuple[bool, int, str]:
    return (False, int(text), "") if text.isdigit() else (True, 0, text)


def compare(left: Semver, right: Semver) -> int:
    """-1, 0 or 1 by semver precedence; a pre-release comes before its release."""
    ours, theirs = (
        (version.core, not version.pre, tuple(map(_identifier, version.pre)))
        for version in (left, right)
    )
    return (ours > theirs) - (ours < theirs)


declare("semver.major() -> int", lambda version: version.core[0])
declare("semver.minor() -> int", lambda version: version.core[1])
declare("semver.patch() -> int", lambda version: version.core[2])
declare("semver.compareTo(semver) -> int", compare)
declare("semver.isLessThan(semver) -> bool", lambda left, right: compare(left, right) < 0)
declare("semver.isGreaterThan(semver) -> bool", lambda left, right: compare(left, right) > 0)
