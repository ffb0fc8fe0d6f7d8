"""Carries a plan out: actions, then status, then events, then what may be refused."""

from __future__ import annotations

import base64
import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import orjson

from pawl.control import outcomes
from pawl.control.cache import Cache
from pawl.control.events import tell
from pawl.control.kinds import DEPLOYMENTS, SECRETS, TRAINING_JOBS, Resource, named, resource_of
from pawl.control.kube import Kube, KubeError
from pawl.control.notify import Notifier
from pawl.control.openlineage import OpenLineage
from pawl.control.records import Records
from pawl.core.manifests.common import metadata
from pawl.core.plan import (
    Action,
    Apply,
    ClaimNumber,
    Create,
    Delete,
    EnsureSecret,
    Event,
    KeepHour,
    MergePatch,
    Plan,
    RecordDecision,
    RecordTrial,
    RecordTrials,
)
from pawl.errors import ConflictError, PawlError, StoreError

Object = Mapping[str, Any]
log = logging.getLogger(__name__)
_SECRET_SECONDS, _REFUSED_SECONDS = 600.0, 60.0
_FEW = 1000
_TAKEN: Final = "NameTaken"


class Executor:
    """Writes to the API server and to the store; `may_write` is called before and raises when it
    must not be (for the API server `kube` sees to that)."""

    def __init__(
        self,
        kube: Kube,
        cache: Cache,
        records: Records,
        clock: Callable[[], float] = time.monotonic,
        notifier: Notifier | None = None,
        lineage: OpenLineage | None = None,
        may_write: Callable[[], None] = lambda: None,
    ) -> None:
        self._kube = kube
        self._may_write = may_write
        self._clock = clock
        self._cache = cache
        self._records = records
        self._notifier = notifier
        self._lineage = lineage
        # What we applied last, so that a plan that changes nothing writes nothing.
        self._applied: dict[tuple[str, str, str, str], tuple[str, str]] = {}
        self._most_applied = _FEW
        # uid of an object whose plan cannot go on -> why, as it was told
        self._waiting: dict[str, str] = {}
        # uid of an object of which something was refused -> when it is tried again
        self._refused: dict[str, float] = {}
        self._secrets: dict[tuple[str, str, str], float] = {}

    async def act(self, item: Object, plan: Plan) -> None:
        """All actions. What waits for the store or for a name that is taken, and what is refused,
        says so, once: no status can tell of it. Raises KubeError (409: look again), StoreError or
        ConflictError; what was not done will be planned again."""
        uid = item["metadata"]["uid"]
        try:
            for action in plan.actions:
                await self._act(action)
        except StoreError as error:
            text = f"the next step waits for the artifact store: {error}"
            await self._tell_once(item, error.reason, Event("StoreUnreachable", text, "Warning"))
            raise
        except ConflictError as error:
            if error.reason == _TAKEN:
                await self._tell_once(item, str(error), Event(_TAKEN, str(error), "Warning"))
            raise
        except KubeError as error:
            if error.is_final:
                await self._tell_once(item, error.reason, _refused(error))
            raise
        self._waiting.pop(uid, None)

    async def tell(self, resource: Resource, item: Object, plan: Plan) -> None:
        """After `act`: the status, then the events, only once it is written, then what may be
        refused. Raises as `act`."""
        if plan.status is not None and plan.status != item.get("status"):
            await self._write_status(resource, item, plan.status)
            outcomes.count(resource, item.get("status", {}), plan.status)
        for event in plan.events:
            status = plan.status or item.get("status", {})
            if self._notifier is not None and resource == DEPLOYMENTS:
                self._notifier.tell(item, status, event)
            if self._lineage is not None and resource == TRAINING_JOBS:
                self._lineage.tell(item, status, event)
            await tell(self._kube, item, event)
        await self._afterwards(item, plan)

    async def _afterwards(self, item: Object, plan: Plan) -> None:
        """What is refused is told, once, and tried again after a while."""
        uid = item["metadata"]["uid"]
        if not plan.afterwards or self._clock() < self._refused.get(uid, 0.0):
            return
        try:
            for action in plan.afterwards:
                await self._act(action)
        except (KubeError, ConflictError) as error:
            if uid not in self._refused:
                await tell(self._kube, item, _refused(error))
            self._refused[uid] = self._clock() + _REFUSED_SECONDS
        else:
            self._refused.pop(uid, None)

    def forget(self, known: Collection[str]) -> None:
        """What was told of objects that are gone: all but those with these uids."""
        self._waiting = {uid: why for uid, why in self._waiting.items() if uid in known}
        self._refused = {uid: until for uid, until in self._refused.items() if uid in known}

    async def _tell_once(self, item: Object, why: str, event: Event) -> None:
        uid = item["metadata"]["uid"]
        if self._waiting.get(uid) != why:
            self._waiting[uid] = why
            await tell(self._kube, item, event)

    async def _act(self, action: Action) -> None:
        self._may_write()
        match action:
            case Apply(item):
                await self._apply(item)
            case Create(item):
                await self._create(item)
            case MergePatch(api_version, kind, namespace, name, patch):
                resource = named(api_version, kind)
                answer = await self._kube.merge(resource, namespace, name, patch)
                self._cache.learn(resource, answer)
            case Delete(api_version, kind, namespace, name, uid):
                await self._kube.delete(named(api_version, kind), namespace, name, uid)
            case ClaimNumber(namespace, model, number, key):
                await self._records.claim(namespace, model, number, key)
            case EnsureSecret(namespace, name, owner):
                await self._ensure_secret(namespace, name, owner)
            case RecordDecision(namespace, model, name, content, folder):
                await self._records.decide(namespace, model, name, content, folder)
            case RecordTrial(uid, run, trial):
                await self._records.trials.record(uid, run, trial)
            case RecordTrials(uid, run, lines):
                await self._records.trials.table(uid, run, lines)
            case KeepHour():
                await self._keep(action)

    async def _keep(self, hour: KeepHour) -> None:
        """A store that is down must not stop what a Deployment needs."""
        try:
            await self._records.kept_hours.keep(hour)
        except StoreError as error:
            log.warning("an hour of %s is not kept yet: %s", hour.version, error)

    async def _apply(self, item: Object) -> None:
        resource, meta = resource_of(item), item["metadata"]
        key = (item["apiVersion"], item["kind"], meta["namespace"], meta["name"])
        digest = hashlib.sha256(_canonical(item)).hexdigest()
        there = self._cache.get(resource, meta["namespace"], meta["name"])
        if there is not None and self._applied.get(key) == (digest, _state(there)):
            return
        answer = await self._kube.apply(resource, item)
        self._cache.learn(resource, answer)
        self._applied[key] = (digest, _state(answer))
        if len(self._applied) > self._most_applied:
            self._forget_what_is_gone()

    def _forget_what_is_gone(self) -> None:
        """So that memory does not grow with all that ever was."""
        self._applied = {
            key: applied
            for key, applied in self._applied.items()
            if self._cache.get(named(key[0], key[1]), key[2], key[3]) is not None
        }
        self._most_applied = max(_FEW, 2 * len(self._applied))
        now = self._clock()
        self._secrets = {k: at for k, at in self._secrets.items() if now - at < _SECRET_SECONDS}

    async def _create(self, item: Object) -> None:
        """Already there is well when it is the same one: same owner, same run."""
        resource, meta = resource_of(item), item["metadata"]
        try:
            self._cache.learn(resource, await self._kube.create(resource, item))
        except KubeError as error:
            if error.code != 409:
                raise
            there = await self._kube.get(resource, meta["namespace"], meta["name"])
            if there is None or not _same_origin(there, item):
                text = f"{item['kind']} {meta['name']} exists already and is not of this object"
                raise ConflictError(text, reason=_TAKEN) from error
            self._cache.learn(resource, there)

    async def _ensure_secret(self, namespace: str, name: str, owner: Object) -> None:
        """Creates without looking: reading such Secrets is a right that the operator does not have.
        So it tries again now and then: somebody may have deleted it."""
        known = (namespace, name, owner["metadata"]["uid"])
        tried = self._secrets.get(known)
        if tried is not None and self._clock() - tried < _SECRET_SECONDS:
            return
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        item = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata(name, namespace, dict(owner), {}),
            "type": "Opaque",
            "stringData": {"key": key},
        }
        try:
            await self._kube.create(SECRETS, item)
        except KubeError as error:
            if error.code != 409:
                raise
        self._secrets[known] = self._clock()

    async def _write_status(self, resource: Resource, item: Object, status: Object) -> None:
        """Replaces the status, if the object is still the one that was looked at."""
        meta = item["metadata"]
        patch = {
            "metadata": {"resourceVersion": meta["resourceVersion"]},
            "status": _replacing(item.get("status", {}), status),
        }
        namespace, name = meta["namespace"], meta["name"]
        try:
            answer = await self._kube.merge(resource, namespace, name, patch, status=True)
        except KubeError as error:
            # Written, but the answer was lost? What follows from it would never be told then.
            there = await self._kube.get(resource, namespace, name) if error.may_be_done else None
            if there is None or there.get("status") != status:
                raise
            answer = there
        self._cache.learn(resource, answer, quietly=resource == DEPLOYMENTS)  # core.pace


def _refused(error: PawlError) -> Event:
    return Event("Refused", f"not done: {error}", "Warning")


def _replacing(old: Object, new: Object) -> dict[str, Any]:
    """`new` as a merge patch over `old`: what is no more becomes null, at every depth."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            patch[key] = _replacing(before, value)
        else:
            patch[key] = value
    return patch


def _state(item: Object) -> str:
    """Changes whenever somebody changes what we apply (status does not count where there is a
    generation)."""
    meta = item["metadata"]
    version = meta.get("generation", meta["resourceVersion"])
    labels = _canonical([meta.get("labels"), meta.get("annotations")]).decode()
    return f"{meta['uid']}/{version}/{labels}"


def _canonical(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _same_origin(there: Object, wanted: Object) -> bool:
    if "deletionTimestamp" in there["metadata"]:
        return False
    owners = wanted["metadata"].get("ownerReferences")
    if owners:
        uids = {ref["uid"] for ref in there["metadata"].get("ownerReferences", [])}
        return owners[0]["uid"] in uids
    return _made_of(there) == _made_of(wanted)


def _made_of(version: Object) -> tuple[Any, str | None]:
    """By whom a ModelVersion was made, and of what bytes: two with the same are the same."""
    spec = version.get("spec", {})
    return spec.get("lineage", {}).get("trainingJob"), spec.get("artifact", {}).get("digest")
