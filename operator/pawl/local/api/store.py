"""All objects of the cluster, in memory: one sequence of resourceVersions, a window of changes
per resource, and the watchers that wait for more.

Invariants: an `Item` is never changed once it is stored (its object is shared with readers); the
revision grows by one with every write; a `Table` can answer for every revision from `oldest` on,
and everything before has been forgotten (410 Gone).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import orjson

from pawl.local.api import errors

Obj = dict[str, Any]

# Changes that a table remembers. kube-apiserver's watch cache keeps 100 to 100,000.
WINDOW = 2_000
# Changes whose rendered forms are kept for watchers that are still behind.
_RENDERED = 64


class Key(NamedTuple):
    """Where an object is in its table; namespace "" is cluster scope. Sorts as etcd's keys do."""

    namespace: str
    name: str


class Item:
    """One version of one object, and its JSON."""

    __slots__ = ("_tail", "obj", "revision")

    def __init__(self, obj: Obj, revision: int) -> None:
        self.obj = obj
        self.revision = revision
        self._tail: bytes | None = None

    @property
    def tail(self) -> bytes:
        """The JSON object without apiVersion and kind (they depend on who asks), made once."""
        if self._tail is None:
            rest = {k: v for k, v in self.obj.items() if k not in ("apiVersion", "kind")}
            self._tail = orjson.dumps(rest)
        return self._tail


class Change:
    """ADDED, MODIFIED or DELETED. `cache` holds its rendered forms: all watchers that want the
    same form share one."""

    __slots__ = ("cache", "item", "key", "previous", "type")

    def __init__(self, type: str, key: Key, item: Item, previous: Item | None) -> None:
        self.type = type
        self.key = key
        self.item = item
        self.previous = previous
        self.cache: dict[Any, bytes] = {}

    @property
    def object(self) -> Obj:
        return self.item.obj

    @property
    def revision(self) -> int:
        return self.item.revision


class Listener(Protocol):
    """Who is told of every change of a table."""

    def offer(self, change: Change) -> None: ...
    def close(self) -> None: ...


class Table:
    """The objects of one resource."""

    def __init__(self, store: Store, name: str, oldest: int = 0) -> None:
        self.name = name
        self.listeners: list[Listener] = []
        self._store = store
        self._items: dict[Key, Item] = {}
        self._sorted: list[Key] | None = []
        self._by_namespace: dict[str, dict[Key, None]] = {}
        self._window: deque[Change] = deque()
        self.oldest = oldest

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: Key) -> Item | None:
        return self._items.get(key)

    def items(self, namespace: str = "") -> list[Item]:
        """All items, of one namespace or ("") of all, in the order of their keys."""
        return [self._items[key] for key in self._keys(namespace)]

    def pairs(self, namespace: str = "") -> list[tuple[Key, Item]]:
        return [(key, self._items[key]) for key in self._keys(namespace)]

    def _keys(self, namespace: str) -> list[Key]:
        if namespace:
            return sorted(self._by_namespace.get(namespace, ()))
        if self._sorted is None:
            self._sorted = sorted(self._items)
        return self._sorted

    def at(self, revision: int) -> dict[Key, Item]:
        """All items as they were at `revision`. ApiError 410 when that is forgotten."""
        if revision < self.oldest:
            raise errors.too_old(revision, self.oldest)
        found = dict(self._items)
        for change in reversed(self._window):
            if change.revision <= revision:
                break
            if change.previous is None:
                del found[change.key]
            else:
                found[change.key] = change.previous
        return found

    def since(self, revision: int) -> Iterator[Change]:
        """Changes after `revision`, oldest first. ApiError 410 when some are forgotten."""
        if revision < self.oldest:
            raise errors.too_old(revision, self.oldest)
        return (change for change in list(self._window) if change.revision > revision)

    def compact(self, keep: int) -> None:
        """Forget all but the last `keep` changes."""
        while len(self._window) > keep:
            self.oldest = self._window.popleft().revision

    def put(self, key: Key, obj: Obj) -> Item:
        """Store `obj` under the next revision, which becomes its resourceVersion."""
        previous = self._items.get(key)
        item = self._store.stamp(obj)
        self._items[key] = item
        if previous is None:
            self._sorted = None
            self._by_namespace.setdefault(key.namespace, {})[key] = None
        self._publish(Change("MODIFIED" if previous else "ADDED", key, item, previous))
        return item

    def remove(self, key: Key, obj: Obj) -> Item:
        """Take the object away; `obj` is its last state, which watchers see."""
        previous = self._items.pop(key)
        self._sorted = None
        del self._by_namespace[key.namespace][key]
        item = self._store.stamp(obj)
        self._publish(Change("DELETED", key, item, previous))
        return item

    def _publish(self, change: Change) -> None:
        self._window.append(change)
        if len(self._window) > _RENDERED:
            self._window[-1 - _RENDERED].cache.clear()
        self.compact(self._store.window)
        self._store.index(self.name, change)
        for listener in tuple(self.listeners):
            listener.offer(change)


class Store:
    def __init__(self, window: int = WINDOW) -> None:
        self.revision = 1
        self.window = window
        self._tables: dict[str, Table] = {}
        self._dropped: dict[str, int] = {}  # what was in them is forgotten up to this revision
        self._owned: dict[str, dict[tuple[str, Key], None]] = {}

    def table(self, name: str) -> Table:
        if name not in self._tables:
            self._tables[name] = Table(self, name, self._dropped.get(name, 0))
        return self._tables[name]

    def tables(self) -> list[Table]:
        return list(self._tables.values())

    def drop(self, name: str) -> None:
        """Forget a table; its watches end."""
        table = self._tables.pop(name, None)
        if table is not None:
            self._dropped[name] = self.revision
            for listener in tuple(table.listeners):
                listener.close()

    def stamp(self, obj: Obj) -> Item:
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        return Item(obj, self.revision)

    def index(self, table: str, change: Change) -> None:
        """Keep track of who owns whom."""
        place = (table, change.key)
        if change.previous is not None:
            for uid in _owners(change.previous.obj):
                self._owned.get(uid, {}).pop(place, None)
                if not self._owned.get(uid):
                    self._owned.pop(uid, None)
        if change.type != "DELETED":
            for uid in _owners(change.item.obj):
                self._owned.setdefault(uid, {})[place] = None

    def owned(self, uid: str) -> list[tuple[str, Item]]:
        """Objects with an ownerReference to `uid`, with the names of their tables."""
        found = []
        for table, key in self._owned.get(uid, ()):
            item = self._tables[table].get(key) if table in self._tables else None
            if item is not None:
                found.append((table, item))
        return found


def _owners(obj: Obj) -> set[str]:
    return {ref["uid"] for ref in obj["metadata"].get("ownerReferences") or () if ref.get("uid")}
