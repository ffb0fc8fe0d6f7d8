"""The one reconcile loop of the three kinds: observe → plan → act → tell.

Telling (status, events) costs an API server more than acting. When many objects come at once it is
put off until no more of them come, for some seconds at most; meanwhile the object counts as worked
on. What is lost in between is what a lost status is: found again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pawl import jsonlog
from pawl.control.cache import Cache
from pawl.control.executor import Executor
from pawl.control.kinds import DEPLOYMENTS, MODEL_VERSIONS, TRAINING_JOBS, Resource
from pawl.control.kube import KubeError
from pawl.control.metrics import FAILURES, RECONCILES, Failure
from pawl.control.observe import Observer
from pawl.control.queue import Key, Queue
from pawl.core.deployment import plan_deployment
from pawl.core.installation import Installation
from pawl.core.modelversion import plan_model_version
from pawl.core.plan import Plan
from pawl.core.trainingjob import plan_training_job
from pawl.errors import PawlError, StoreError
from pawl.tracing import span

Object = Mapping[str, Any]
_RESOURCES = {resource.kind: resource for resource in (TRAINING_JOBS, MODEL_VERSIONS, DEPLOYMENTS)}
#: Seconds at most between two tries; rollouts must not wait for minutes once an API server is back.
_LAST_DELAY, _OUTAGE_DELAY = 120.0, 10.0
#: Seconds for which telling is put off at most; without a new object for so long, none comes.
_UNTOLD, _QUIET = 10.0, 0.25
_REFUSALS: dict[int, Failure] = {409: "Conflict", 0: "Network"}
log = logging.getLogger(__name__)


@dataclass
class _Pass:
    """An object that is worked on since `since`: `seconds` were spent on it, and `plan` is to be
    told."""

    key: Key
    resource: Resource
    item: Object
    plan: Plan | None = None
    seconds: float = 0.0
    since: float = field(default_factory=time.monotonic)

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever told of the object."""
        return not self.item.get("status")


class Loop:
    """Workers over one queue."""

    def __init__(
        self,
        queue: Queue,
        cache: Cache,
        observer: Observer,
        executor: Executor,
        installation: Installation,
    ) -> None:
        self._queue = queue
        self._cache = cache
        self._observer = observer
        self._executor = executor
        self._installation = installation
        self._untold: deque[_Pass] = deque()
        self._quiet_at = 0.0
        self._planners: dict[str, Callable[[Object], Awaitable[Plan]]] = {
            TRAINING_JOBS.kind: lambda item: self._training_job(observer, item),
            MODEL_VERSIONS.kind: lambda item: self._model_version(observer, item),
            DEPLOYMENTS.kind: lambda item: self._deployment(observer, item),
        }

    async def work(self) -> None:
        """One worker; runs until cancelled."""
        while True:
            await self.turn()

    async def turn(self) -> None:
        """Acts on the next key, or tells what was put off."""
        if self._untold and self._is_time_to_tell():
            await self._finish(self._untold.popleft())
            return
        key = await self._queue.get(_QUIET if self._untold else None)
        begun = self._begin(key) if key is not None else None
        if begun is None:
            return
        await self._carry_through(begun, self._reconcile)
        if begun.plan is not None and begun.plan.actions and self._more_come(begun):
            self._untold.append(begun)
        else:
            await self._finish(begun)

    def _is_time_to_tell(self) -> bool:
        now = time.monotonic()
        if now - self._untold[0].since > _UNTOLD:
            return True
        return not self._queue.ready and now >= self._quiet_at

    def _more_come(self, begun: _Pass) -> bool:
        """Whether there is more to act on, or another new object was there just now: they come
        faster than they can be counted on to be in the queue."""
        now = time.monotonic()
        one_of_many = begun.is_new and now < self._quiet_at
        if begun.is_new:
            self._quiet_at = now + _QUIET
        return self._queue.ready or one_of_many

    def _begin(self, key: Key) -> _Pass | None:
        resource = _RESOURCES[key.kind]
        item = self._cache.get(resource, key.namespace, key.name)
        if item is None or "deletionTimestamp" in item["metadata"]:
            self._queue.drop(key)  # children go by their ownerReferences
            self._queue.done(key)
            return None
        return _Pass(key, resource, item)

    async def _finish(self, begun: _Pass) -> None:
        if begun.plan is not None:
            await self._carry_through(begun, self._tell)
        RECONCILES.labels(begun.key.kind).observe(begun.seconds)
        self._queue.done(begun.key)

    async def resync(self, seconds: float) -> None:
        """Looks at everything now and then: it covers what a watch may lose."""
        while True:
            for key in self._cache.our_keys():
                self._queue.add(key)
            self._observer.forget()
            self._executor.forget(self._cache.our_uids())
            await asyncio.sleep(seconds)

    async def _reconcile(self, begun: _Pass) -> None:
        plan = await self._planners[begun.key.kind](begun.item)
        await self._executor.act(begun.item, plan)
        begun.plan = plan

    async def _tell(self, begun: _Pass) -> None:
        key, plan = begun.key, begun.plan
        if plan is None or self._cache.get(begun.resource, key.namespace, key.name) is None:
            return  # deleted meanwhile
        try:
            await self._executor.tell(begun.resource, begun.item, plan)
        except KubeError as error:
            if error.code != 404:
                raise
            self._queue.drop(key)  # deleted, and no watch has said so yet
            return
        self._queue.forget(key)
        if plan.requeue_after is not None:
            self._queue.add_after(key, plan.requeue_after)

    async def _carry_through(self, begun: _Pass, step: Callable[[_Pass], Awaitable[None]]) -> None:
        """Puts the key back when it did not work."""
        since = time.monotonic()
        with jsonlog.about(object="/".join(begun.key)):
            await self._tried(begun, step)
        begun.seconds += time.monotonic() - since

    async def _tried(self, begun: _Pass, step: Callable[[_Pass], Awaitable[None]]) -> None:
        key = begun.key
        try:
            with span(step.__name__.strip("_"), object="/".join(key)):
                await step(begun)
        except KubeError as error:
            if error.namespace_ends:
                self._queue.drop(key)
                log.debug("%s", error)
                return
            most = _OUTAGE_DELAY if error.may_be_done else _LAST_DELAY
            delay = self._failed(key, _REFUSALS.get(error.code, "ApiServer"), most)
            level = logging.DEBUG if error.code == 409 else logging.WARNING
            log.log(level, "%s, again in %.1f s", error, delay)
        except PawlError as error:
            delay = self._failed(key, "Store" if isinstance(error, StoreError) else "Refused")
            log.warning("%s, again in %.1f s", error, delay)
        except Exception:
            # A defect of ours must not stop the others; it is tried again with growing delays.
            self._failed(key, "Defect")
            log.exception("reconciling failed")

    def _failed(self, key: Key, why: Failure, most: float = _LAST_DELAY) -> float:
        FAILURES.labels(key.kind, why).inc()
        return self._queue.retry(key, most)

    async def _training_job(self, observer: Observer, item: Object) -> Plan:
        observed = await observer.training_job(item)
        return plan_training_job(observed, self._installation, datetime.now(UTC))

    async def _model_version(self, observer: Observer, item: Object) -> Plan:
        observed = await observer.model_version(item, self._installation)
        return plan_model_version(observed, datetime.now(UTC))

    async def _deployment(self, observer: Observer, item: Object) -> Plan:
        now = datetime.now(UTC)
        observed = await observer.deployment(item, now)
        return plan_deployment(observed, self._installation, now)
