"""A local copy of one kind, kept by list and watch.

A watch whose connection breaks goes on where it was. After a 410 (or anything else that the API
server refuses) the kind is listed again, and objects that are no more are reported as gone: a watch
alone would never say so.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pawl.control.index import Index, name_of
from pawl.control.kinds import Resource
from pawl.control.kube import Kube, KubeError
from pawl.control.metrics import WATCHES
from pawl.core import audit

Object = Mapping[str, Any]
_WATCH_SECONDS = 240
#: Of a spec and of annotations: whose owner somebody wants to know.
_FIELDS = ("f:replicas", "f:approval", "f:artifact")
_ANNOTATIONS = tuple(f"f:{name}" for name in audit.ANNOTATIONS)
#: A watch that ends sooner has brought nothing: the next one waits as after a failure.
_SHORT = 1.0
log = logging.getLogger(__name__)


class Reflector:
    """Objects are shared snapshots; nobody changes them. `changed(resource, now, before)` is called
    for every object that came (`before` is None), changed, or went (both are its last state)."""

    def __init__(
        self,
        kube: Kube,
        resource: Resource,
        namespace: str | None,
        changed: Callable[[Resource, Object, Object | None], None],
    ) -> None:
        self.resource = resource
        self.synced = asyncio.Event()
        self._kube = kube
        self._namespace = namespace
        self._changed = changed
        self._index = Index()
        self._version = ""

    @property
    def size(self) -> int:
        """How many objects are known."""
        return len(self._index)

    def covers(self, namespace: str) -> bool:
        """Whether objects of that namespace are watched here."""
        return self._namespace is None or self._namespace == namespace

    def get(self, namespace: str, name: str) -> Object | None:
        """One object, if there is one."""
        return self._index.get((namespace, name))

    def all(self) -> Iterable[Object]:
        """All objects."""
        return self._index.all()

    def group(self, group: str) -> Iterable[Object]:
        """Those of a group of the index."""
        return self._index.group(group)

    def learn(self, item: Object) -> None:
        """Take over the API server's answer to a write of our own, without waiting for the
        watch. Whoever looks at the object is woken now: the watch's own event will be old news."""
        self._keep(_trimmed(item))

    async def run(self) -> None:
        """List and watch until cancelled; errors are logged and tried again. `synced` is set once
        it has listed, also when it is run again."""
        self.synced.clear()
        self._version = ""
        failures = 0
        while True:
            begun, trouble = float("inf"), None
            try:
                if not self._version:
                    await self._list()
                begun = time.monotonic()
                await self._watch()
            except (KubeError, ValueError) as error:
                trouble = error
                if not (isinstance(error, KubeError) and error.code == 0):
                    self._version = ""
            failures = 0 if time.monotonic() > begun + _SHORT else failures + 1
            self._tell(trouble, failures)
            delay = min(30.0, 0.1 * 2 ** min(failures, 9)) if failures else 0.0
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311

    def _tell(self, trouble: Exception | None, failures: int) -> None:
        """Connections that end and watches that are too far behind are nothing to worry about."""
        if trouble is not None:
            code = trouble.code if isinstance(trouble, KubeError) else None
            ordinary, end = code in (0, 410), "Expired" if code == 410 else "Failed"
            WATCHES.labels(self.resource.plural, end).inc()
            level = logging.DEBUG if ordinary and failures < 3 else logging.WARNING
            log.log(level, "watching %s failed: %s", self.resource.plural, trouble)

    async def _list(self) -> None:
        items, self._version = await self._kube.list(self.resource, self._namespace)
        fresh = {name_of(item): _trimmed(item) for item in items}
        gone = [item for item in self._index.all() if name_of(item) not in fresh]
        before = {name: self._index.get(name) for name in fresh}
        for item in gone:
            self._index.drop(name_of(item))
        for item in fresh.values():
            self._index.put(item)
        for item in gone:
            self._changed(self.resource, item, item)
        for name, item in fresh.items():
            known = before[name]
            if known is None or _version(known) != _version(item):
                self._changed(self.resource, item, known)
        self.synced.set()

    async def _watch(self) -> None:
        """From the last known version on, until the API server ends it in order."""
        async for event in self._kube.watch(
            self.resource, self._namespace, self._version, _WATCH_SECONDS
        ):
            item = event["object"]
            self._version = item["metadata"]["resourceVersion"]
            if event["type"] == "BOOKMARK":
                continue
            if event["type"] == "DELETED":
                self._forget(item)
            else:
                self._keep(_trimmed(item))

    def _forget(self, item: Object) -> None:
        """Unless another one of that name is known by now."""
        known = self._index.get(name_of(item))
        if known is None or known["metadata"]["uid"] == item["metadata"]["uid"]:
            self._index.drop(name_of(item))
        self._changed(self.resource, item, item)

    def _keep(self, item: Object) -> None:
        """Unless what is known already is as new."""
        old = self._index.get(name_of(item))
        if old is not None and not newer(item, old):
            return
        self._index.put(item)
        self._changed(self.resource, item, old)


def newer(item: Object, known: Object) -> bool:
    """Whether this state of an object comes after another one, or is of another object."""
    if known["metadata"]["uid"] != item["metadata"]["uid"]:
        return True
    old, new = _version(known), _version(item)
    comparable = old.isdigit() and new.isdigit()
    return int(old) < int(new) if comparable else old != new


def _version(item: Object) -> str:
    return str(item["metadata"]["resourceVersion"])


def _trimmed(item: Object) -> Object:
    """Of managedFields only who owns the replicas of a workload, and who asked for something."""
    fields = item["metadata"].get("managedFields")
    if not fields:
        return item
    kept = [entry for entry in map(_owned, fields) if entry is not None]
    meta = {**item["metadata"], "managedFields": kept}
    return {**item, "metadata": meta}


def _owned(entry: Object) -> Object | None:
    fields = entry.get("fieldsV1", {})
    spec: dict[str, Object] = {name: {} for name in _FIELDS if name in fields.get("f:spec", {})}
    owned = fields.get("f:metadata", {}).get("f:annotations", {})
    annotations: dict[str, Object] = {name: {} for name in _ANNOTATIONS if name in owned}
    if not spec and not annotations:
        return None
    return {
        "manager": entry["manager"],
        **({"time": entry["time"]} if "time" in entry else {}),
        "fieldsV1": {
            **({"f:spec": spec} if spec else {}),
            **({"f:metadata": {"f:annotations": annotations}} if annotations else {}),
        },
    }
