"""What validation of one value found."""

from __future__ import annotations

from typing import Any

from pawl.local.schema import causes
from pawl.local.schema.causes import Cause


class Result:
    """Errors by their Go text, and the number of checks that matched."""

    __slots__ = ("errors", "matched", "prefix")

    def __init__(self, prefix: str) -> None:
        self.errors: dict[str, Cause] = {}
        self.matched = 0
        self.prefix = prefix

    def merge(self, other: Result) -> None:
        for text, cause in other.errors.items():
            self.errors.setdefault(text, cause)
        self.matched += other.matched

    def path(self, name: str) -> str:
        return causes.child(self.prefix, name.removeprefix(".")) if name else self.prefix

    def add(self, text: str, cause: Cause) -> None:
        self.errors.setdefault(text, cause)

    def invalid(self, name: str, value: Any, text: str) -> None:
        """A plain validation error: `Invalid value: <value>: <text>`."""
        self.add(text, causes.invalid(self.path(name), "" if value is None else value, text))

    def general(self, text: str) -> None:
        """An error without a field of its own; Go attaches it to the root."""
        self.add(text, causes.invalid(self.prefix, "", text))
