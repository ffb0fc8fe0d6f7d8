"""Gathers what a planner may look at: from the cache, the store and the routers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pawl import constants as c
from pawl.api.modelversion import Artifact
from pawl.api.trainingjob import TrainingJobStatus
from pawl.artifacts.runs import Result, RunResult
from pawl.control.cache import Cache
from pawl.control.kinds import (
    AUTOSCALERS,
    BUDGETS,
    CONFIG_MAPS,
    CUSTOM_METRICS,
    DEPLOYMENTS,
    GATEWAY_CLASSES,
    GATEWAYS,
    HTTP_ROUTES,
    JOBS,
    MODEL_VERSIONS,
    PODS,
    SERVICES,
    TRAINING_JOBS,
    WORKLOADS,
)
from pawl.control.kube import Kube
from pawl.control.labels import Labels
from pawl.control.measure import Measure
from pawl.control.recalled import Recalled, starting
from pawl.control.records import Records
from pawl.control.refusals import Refusals
from pawl.control.reports import TrainLogs
from pawl.control.routers import Routers
from pawl.control.searches import Searches
from pawl.control.tracking import Tracker
from pawl.control.windows import Windows
from pawl.core.deployment import DeploymentObserved
from pawl.core.front import FrontObserved
from pawl.core.installation import Installation
from pawl.core.manifests.router import router_name
from pawl.core.modelversion import ModelVersionObserved, settled
from pawl.core.run_status import job_condition
from pawl.core.run_work import FINISHED, SearchObserved, run_of, trial_of
from pawl.core.trainingjob import TrainingJobObserved
from pawl.core.watch import kept
from pawl.errors import StoreError

Object = Mapping[str, Any]


class Observer:
    """Observes one object at a time; nothing is written."""

    def __init__(
        self,
        cache: Cache,
        kube: Kube,
        records: Records,
        routers: Routers,
        measure: Measure,
        windows: Windows,
        labels: Labels,
        searches: Searches,
        logs: TrainLogs,
        refusals: Refusals,
        tracker: Tracker,
    ) -> None:
        self._tracker = tracker
        self._searches = searches
        self._logs = logs
        self._refusals = refusals
        self._measure = measure
        self._windows = windows
        self._labels = labels
        self._cache = cache
        self._kube = kube
        self._records = records
        self._routers = routers
        self._recalled = Recalled(records)

    def forget(self) -> None:
        """What was known of objects that are gone."""
        known = frozenset(item["metadata"]["uid"] for item in self._cache.all(DEPLOYMENTS))
        self._windows.forget(known)
        self._labels.forget(known)
        self._recalled.forget(known)
        training = {item["metadata"]["uid"]: item for item in self._cache.all(TRAINING_JOBS)}
        self._tracker.forget(training)
        running = {
            uid
            for uid, item in training.items()
            if (item.get("status") or {}).get("phase") not in FINISHED
        }
        self._searches.forget(running)
        self._logs.forget(running)
        self._refusals.forget(running)

    async def training_job(self, item: Object) -> TrainingJobObserved:
        """For `plan_training_job`."""
        meta, model = item["metadata"], item["spec"].get("model", "")
        namespace = meta["namespace"]
        jobs, polls = _apart(self._cache.owned(JOBS, item))
        run = _run_number(item, jobs)
        result: Result | None = None
        recorded: tuple[Object, ...] = ()
        highest, claim, error = 0, None, None
        search: SearchObserved | None = None
        pods = self._cache.labelled(PODS, namespace, training_job=meta["name"], run=str(run))
        try:
            if "search" in item["spec"]:
                search = await self._searches.observed(item, jobs, pods, run)
            if _may_have_result(item, jobs, run):
                result = await self._records.result(meta["uid"], run)
            recipe = starting(item, jobs)
            if isinstance(result, RunResult) and result.outcome == "Recorded":
                recorded = await self._recalled.of_recipe(item, result.lineage.recipe_digest)
            elif result is not None:
                reserved = (item.get("status", {}).get("run") or {}).get("reservedVersion")
                highest, claim = await self._records.claims(namespace, model, reserved)
            elif recipe is not None:
                recorded = await self._recalled.of_recipe(item, recipe)
        except StoreError as failure:
            error = str(failure)
        versions = self._cache.of_model(MODEL_VERSIONS, namespace, model)
        return TrainingJobObserved(
            object=item,
            jobs=jobs,
            pods=pods,
            versions=versions,
            deployments=self._cache.of_model(DEPLOYMENTS, namespace, model),
            result=result,
            store_error=error,
            highest_claim=highest,
            claim=claim,
            recorded=recorded,
            search=search,
            polls=polls,
            poll_pods=_apart(self._cache.labelled(PODS, namespace, training_job=meta["name"]))[1]
            if polls
            else (),
            percent=await self._percent(item, pods),
            refused=await self._refused(item, jobs, pods, run),
            tracking=self._tracker.look(item, versions),
        )

    async def _refused(
        self, item: Object, jobs: tuple[Object, ...], pods: tuple[Object, ...], run: int
    ) -> str:
        current = (job for job in jobs if run_of(job) == run)
        return await self._refusals.of(item["metadata"]["uid"], current, pods)

    async def _percent(self, item: Object, pods: tuple[Object, ...]) -> float | None:
        """The built-in trainer does not say how far it is."""
        if "container" not in item["spec"].get("trainer", {}):
            return None
        ours = (pod for pod in pods if trial_of(pod) is None)
        return await self._logs.percent(item["metadata"]["uid"], ours)

    async def model_version(self, item: Object, installation: Installation) -> ModelVersionObserved:
        """For `plan_model_version`."""
        meta, spec = item["metadata"], item["spec"]
        namespace, model = meta["namespace"], spec.get("model", "")
        verification = settled(item, self._records.keys)
        if verification is None:
            artifact = Artifact.model_validate(spec["artifact"])
            verification = await self._records.verify(artifact, namespace)
        return ModelVersionObserved(
            object=item,
            siblings=self._cache.of_model(MODEL_VERSIONS, namespace, model),
            deployments=self._cache.of_model(DEPLOYMENTS, namespace, model),
            verification=verification,
            trust_requested_by=installation.trust_requested_by,
        )

    async def deployment(self, item: Object, now: datetime) -> DeploymentObserved:
        """For `plan_deployment`."""
        meta = item["metadata"]
        namespace, name = meta["namespace"], meta["name"]
        pods = self._cache.labelled(PODS, namespace, deployment=name)
        measured = await self._measure.rollout(item, pods, now)
        window = self._cache.get(CONFIG_MAPS, namespace, kept.name(name))
        seen = await self._windows.observed(item, pods, window, now)
        tally = await self._labels.observed(item, pods, window, now)
        # Afterwards: a pod that hangs lets a measurement wait, and routers know by then.
        entrance = await self._front(item, pods)
        return DeploymentObserved(
            object=item,
            versions=self._cache.of_model(MODEL_VERSIONS, namespace, item["spec"].get("model", "")),
            servers=_of_role(self._cache.owned(WORKLOADS, item), c.ROLE_SERVER),
            services=_of_role(self._cache.owned(SERVICES, item), c.ROLE_SERVER),
            autoscalers=self._cache.owned(AUTOSCALERS, item),
            pods=pods,
            front=entrance,
            measured=measured,
            drift=seen,
            tally=tally,
            window=window,
            retrains=self._cache.owned(TRAINING_JOBS, item),
            recipe=self._recipe(item),
            custom_metrics=await self._custom_metrics(item),
            recorded=await self._recalled.deployment(
                item, entrance.config_map or entrance.http_route
            ),
        )

    async def _custom_metrics(self, item: Object) -> bool:
        """Only asked for those that scale by them."""
        scaling = item["spec"].get("autoscaling", {})
        if "targetRequestsPerSecond" not in scaling:
            return True
        return await self._kube.serves(CUSTOM_METRICS)

    def _recipe(self, item: Object) -> Object | None:
        """What retrains are copied from: a TrainingJob, or the template of one."""
        retrain = item["spec"].get("retrain", {})
        if "template" in retrain:
            return {"spec": retrain["template"]}
        name = retrain.get("from")
        return self._cache.get(TRAINING_JOBS, item["metadata"]["namespace"], name) if name else None

    async def _front(self, item: Object, pods: tuple[Object, ...]) -> FrontObserved:
        meta = item["metadata"]
        namespace, name = meta["namespace"], meta["name"]
        gateway = item["spec"].get("routing", {}).get("gateway")
        ours = [
            child
            for kind in (CONFIG_MAPS, WORKLOADS, SERVICES, BUDGETS)
            for child in _of_role(self._cache.owned(kind, item), c.ROLE_ROUTER)
        ]
        if gateway is not None:
            route = await self._kube.get(HTTP_ROUTES, namespace, name)
            gateways, classes = await self._gateways(gateway, namespace)
            return FrontObserved(
                http_route=route,
                gateways=gateways,
                gateway_classes=classes,
                leftovers=tuple(ours),
            )
        service = self._cache.get(SERVICES, namespace, name)
        if service is None:  # perhaps one that is not labelled as ours
            service = await self._kube.get(SERVICES, namespace, name)
        left: tuple[Object, ...] = ()
        if item.get("status", {}).get("routing") == "Gateway":
            route = await self._kube.get(HTTP_ROUTES, namespace, name)
            left = (route,) if route is not None else ()
        routers = [p for p in pods if p["metadata"]["labels"].get(c.LABEL_ROLE) == c.ROLE_ROUTER]
        return FrontObserved(
            routers=await self._routers.states(routers),
            config_map=self._cache.get(CONFIG_MAPS, namespace, router_name(name)),
            service=service,
            leftovers=left,
        )

    async def _gateways(
        self, gateway: Object, namespace: str
    ) -> tuple[tuple[Object, ...], tuple[Object, ...]]:
        """The Gateways of a spec, and their classes."""
        parents = gateway.get("parentRefs", [])
        asked = (
            self._kube.get(GATEWAYS, parent.get("namespace") or namespace, parent["name"])
            for parent in parents
        )
        gateways = [found for found in await asyncio.gather(*asked) if found is not None]
        names = {str(found["spec"]["gatewayClassName"]) for found in gateways}
        classes = await asyncio.gather(
            *(self._kube.get(GATEWAY_CLASSES, None, name) for name in sorted(names))
        )
        return tuple(gateways), tuple(found for found in classes if found is not None)


def _of_role(items: tuple[Object, ...], role: str) -> tuple[Object, ...]:
    return tuple(item for item in items if item["metadata"]["labels"].get(c.LABEL_ROLE) == role)


def _apart(items: tuple[Object, ...]) -> tuple[tuple[Object, ...], tuple[Object, ...]]:
    """Those of runs, and those that look at the data."""
    looks = tuple(item for item in items if c.LABEL_POLL in item["metadata"].get("labels", {}))
    return tuple(item for item in items if item not in looks), looks


def _run_number(item: Object, jobs: tuple[Object, ...]) -> int:
    run = TrainingJobStatus.model_validate(item.get("status") or {}).run
    if run is not None:
        return run.number
    numbers = [int(job["metadata"].get("labels", {}).get(c.LABEL_RUN, "0")) for job in jobs]
    return max(numbers, default=1)


def _may_have_result(item: Object, jobs: tuple[Object, ...], run: int) -> bool:
    """The current run is not finished, and its Job is complete, or gone; or it failed, which is how
    a Job ends in which `prepare` has found nothing new to train on. A trial may end the run too."""
    status = TrainingJobStatus.model_validate(item.get("status") or {})
    if status.run is not None and status.run.phase not in ("Pending", "Running"):
        return False
    current = [j for j in jobs if j["metadata"]["labels"].get(c.LABEL_RUN) == str(run)]
    last = [job for job in current if trial_of(job) is None]
    if not current:
        return status.run is None or status.run.phase == "Running"
    ends = ("Complete", "Failed") if item["spec"].get("cause") else ("Complete",)
    return any(job_condition(job, end) for job in last or current for end in ends)
