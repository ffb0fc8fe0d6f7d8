"""The one reconcile loop of the three kinds: observe → plan → carry out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
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
_REFUSALS: dict[int, Failure] = {409: "Conflict", 0: "Network"}
log = logging.getLogger(__name__)


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
        self._planners: dict[str, Callable[[Object], Awaitable[Plan]]] = {
            TRAINING_JOBS.kind: lambda item: self._training_job(observer, item),
            MODEL_VERSIONS.kind: lambda item: self._model_version(observer, item),
            DEPLOYMENTS.kind: lambda item: self._deployment(observer, item),
        }

    async def work(self) -> None:
        """One worker; runs until cancelled."""
        while True:
            key = await self._queue.get()
            try:
                await self._reconcile(key)
            finally:
                self._queue.done(key)

    async def resync(self, seconds: float) -> None:
        """Looks at everything now and then: it covers what a watch may lose."""
        while True:
            for key in self._cache.our_keys():
                self._queue.add(key)
            self._observer.forget()
            await asyncio.sleep(seconds)

    async def _reconcile(self, key: Key) -> None:
        resource = _RESOURCES[key.kind]
        item = self._cache.get(resource, key.namespace, key.name)
        if item is None or "deletionTimestamp" in item["metadata"]:
            self._queue.drop(key)  # children go by their ownerReferences
            return
        with jsonlog.about(object="/".join(key)):
            await self._carry_through(key, resource, item)

    async def _carry_through(self, key: Key, resource: Resource, item: Object) -> None:
        """Puts the key back when it did not work, or when its plan says so."""
        try:
            with RECONCILES.labels(key.kind).time(), span("reconcile", object="/".join(key)):
                plan = await self._planners[key.kind](item)
                await self._executor.run(resource, item, plan)
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
        else:
            self._queue.forget(key)
            if plan.requeue_after is not None:
                self._queue.add_after(key, plan.requeue_after)

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
