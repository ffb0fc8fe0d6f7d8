"""A world in which plans of the controllers come true, without an API server.

`World.apply` does what the registry would do with a plan's changes, so that tests can fold a
planner's steps into a trajectory. Time stands still until a test moves it.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pawl.local.controllers.changes import Change, Create, Delete, Emit, Patch, SetStatus
from pawl.local.controllers.objects import Obj, finalizers, key_of, meta, stamp, uid

START = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def merged(old: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


@dataclass
class World:
    now: datetime = START
    objects: dict[str, tuple[str, Obj]] = field(default_factory=dict)  # by uid
    events: list[tuple[str, str]] = field(default_factory=list)  # (reason, message)
    serial: int = 0

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def add(self, resource: str, obj: Obj, namespace: str = "default") -> Obj:
        self.serial += 1
        obj = deepcopy(obj)
        head = obj.setdefault("metadata", {})
        head.setdefault("namespace", namespace)
        if "name" not in head:
            head["name"] = f"{head['generateName']}{self.serial:05}"
        head["uid"] = f"uid-{self.serial:05}"
        head["creationTimestamp"] = stamp(self.now)
        head["generation"] = 1
        if resource == "pods":
            obj["status"] = {"phase": "Pending"}
        self.objects[head["uid"]] = (resource, obj)
        return obj

    def list(self, resource: str) -> list[Obj]:
        return [obj for kind, obj in self.objects.values() if kind == resource]

    def get(self, obj: Obj) -> Obj | None:
        return self.objects.get(uid(obj), (None, None))[1]

    def put(self, obj: Obj, **fields: Any) -> Obj:
        """Replace top-level fields of an object; a new spec is a new generation."""
        resource, old = self.objects[uid(obj)]
        new = {**deepcopy(old), **deepcopy(fields)}
        if new.get("spec") != old.get("spec"):
            new["metadata"] = {**meta(new), "generation": meta(new)["generation"] + 1}
        self.objects[uid(obj)] = (resource, new)
        return new

    def patch(self, obj: Obj, body: Obj) -> Obj | None:
        """Merge-patch an object that may be gone."""
        if uid(obj) not in self.objects:
            return None
        new = merged(self.objects[uid(obj)][1], body)
        new = self.put(obj, **{k: new.get(k) for k in new if k != "apiVersion"})
        if meta(new).get("deletionTimestamp") and not finalizers(new) and not _graceful(new):
            del self.objects[uid(obj)]
        return new

    def delete(self, obj: Obj) -> None:
        """As the API server: pods on a node end gracefully, finalizers keep objects."""
        if (live := self.get(obj)) is None:
            return
        grace = 30 if _graceful(live) else 0
        if grace or finalizers(live):
            head = {"deletionTimestamp": stamp(self.now), "deletionGracePeriodSeconds": grace}
            self.put(obj, metadata={**meta(live), **head})
        else:
            del self.objects[uid(obj)]

    def end(self, pod: Obj, phase: str = "Failed", code: int = 0) -> None:
        """The node ends a pod; one that was being deleted goes for good."""
        if (live := self.get(pod)) is None:
            return
        done = {"terminated": {"exitCode": code, "finishedAt": stamp(self.now)}}
        names = [c["name"] for c in live["spec"]["containers"]]
        statuses = [{"name": n, "restartCount": 0, "state": done} for n in names]
        self.put(pod, status={"phase": phase, "containerStatuses": statuses})
        if meta(live).get("deletionTimestamp") and not finalizers(live):
            del self.objects[uid(pod)]

    def start(self, pod: Obj, *, ready: bool = True) -> None:
        live = self.get(pod)
        assert live is not None
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": stamp(self.now)}
        self.put(
            pod,
            spec={**live["spec"], "nodeName": "local"},
            status={"phase": "Running", "startTime": stamp(self.now), "conditions": [condition]},
        )

    def apply(self, changes: tuple[Change, ...]) -> None:
        for change in changes:
            match change:
                case Create():
                    made = self.add(change.resource, change.obj, change.namespace)
                    if change.owner is not None:
                        self.events.append(("SuccessfulCreate", key_of(made).name))
                case Delete():
                    self.delete(change.obj)
                case Patch():
                    self.patch(change.obj, change.body)
                case SetStatus():
                    if self.get(change.obj) is not None:
                        self.put(change.obj, status=dict(change.status))
                case Emit():
                    self.events.append((change.reason, change.message))


def _graceful(obj: Obj) -> bool:
    on_node = bool((obj.get("spec") or {}).get("nodeName"))
    return on_node and (obj.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def new_world() -> type[World]:
    """For property tests, which need a fresh world per example."""
    return World
