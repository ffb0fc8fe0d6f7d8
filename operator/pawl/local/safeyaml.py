"""YAML from outside: a bound on depth, and on how large it is once its aliases stand for what they
repeat (a "billion laughs" is a few lines that stand for gigabytes)."""

from __future__ import annotations

from typing import Any

import yaml

#: More than any object that etcd can store has.
MAX_NODES = 500_000
MAX_DEPTH = 100


class BoundedLoader(yaml.SafeLoader):
    """A SafeLoader; ComposerError for what is too deep or too large."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._nodes = self._depth = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Counts; what an alias repeats counts again."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        mark, repeated = event.start_mark, isinstance(event, yaml.AliasEvent)
        before, self._depth = self._nodes, self._depth + 1
        if self._depth > MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, f"deeper than {MAX_DEPTH}", mark)
        node = super().compose_node(parent, index)
        if repeated and id(node) not in self._sizes:
            raise yaml.composer.ComposerError(None, None, "an alias inside its anchor", mark)
        self._depth -= 1
        self._nodes += self._sizes[id(node)] if repeated else 1
        if self._nodes > MAX_NODES:
            raise yaml.composer.ComposerError(None, None, "excessive aliasing, or too large", mark)
        if not repeated:
            self._sizes[id(node)] = self._nodes - before
        return node


def load_all(text: str | bytes) -> list[Any]:
    """The documents. YAMLError."""
    return list(yaml.load_all(text, Loader=BoundedLoader))
