"""Objects of one kind, found by name, or all that belong together: by owner, by model, by a label.

What an observer asks for costs what it gets, however many objects there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pawl import constants as c

Object = Mapping[str, Any]
Name = tuple[str, str]  # namespace, name
#: Labels that objects can be found by.
LABELS = (c.LABEL_TRAINING_JOB, c.LABEL_DEPLOYMENT)


class Index:
    """A group is in the order in which its objects came."""

    def __init__(self) -> None:
        self._items: dict[Name, Object] = {}
        self._groups: dict[str, dict[Name, Object]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def get(self, name: Name) -> Object | None:
        """One object."""
        return self._items.get(name)

    def all(self) -> Iterable[Object]:
        """Every object."""
        return self._items.values()

    def group(self, group: str) -> Iterable[Object]:
        """The objects of a group (see `owned_by`, `of_model`, `labelled`)."""
        return self._groups.get(group, {}).values()

    def put(self, item: Object) -> None:
        """A new object, or another state of one."""
        name = name_of(item)
        before = self._items.get(name)
        groups = set(_groups(item))
        if before is not None:
            self._leave(name, set(_groups(before)) - groups)
        self._items[name] = item
        for group in groups:
            self._groups.setdefault(group, {})[name] = item

    def drop(self, name: Name) -> None:
        """It is gone."""
        before = self._items.pop(name, None)
        if before is not None:
            self._leave(name, _groups(before))

    def _leave(self, name: Name, groups: Iterable[str]) -> None:
        for group in groups:
            members = self._groups[group]
            members.pop(name, None)
            if not members:
                del self._groups[group]


def name_of(item: Object) -> Name:
    """What tells an object from the others of its kind."""
    meta = item["metadata"]
    return meta.get("namespace", ""), meta["name"]


def owned_by(uid: str) -> str:
    """The group of an owner's objects."""
    return f"owner {uid}"


def of_model(namespace: str, model: str) -> str:
    """The group of all that is about a model."""
    return f"model {namespace}/{model}"


def labelled(namespace: str, label: str, value: str) -> str:
    """The group of a label's value; `label` is one of LABELS."""
    return f"{label} {namespace}/{value}"


def _groups(item: Object) -> Iterator[str]:
    meta = item["metadata"]
    namespace = meta.get("namespace", "")
    for reference in meta.get("ownerReferences", ()):
        yield owned_by(reference["uid"])
    model = item.get("spec", {}).get("model")
    if isinstance(model, str):
        yield of_model(namespace, model)
    labels = meta.get("labels", {})
    for label in LABELS:
        if label in labels:
            yield labelled(namespace, label, labels[label])
