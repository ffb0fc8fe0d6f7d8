"""All controllers of a cluster, run together."""

import asyncio

from pawl.local.api.http.custommetrics import PodMetric
from pawl.local.api.registry import Registry
from pawl.local.controllers.deployment.controller import DeploymentController
from pawl.local.controllers.disruption import DisruptionController
from pawl.local.controllers.endpoints.controller import EndpointsController
from pawl.local.controllers.garbage import GarbageCollector
from pawl.local.controllers.host import Controller, Host
from pawl.local.controllers.hpa.controller import HpaController
from pawl.local.controllers.hpa.metrics import Metrics
from pawl.local.controllers.job.controller import JobController, JobTtlController
from pawl.local.controllers.namespaces import NamespaceController
from pawl.local.controllers.podgc import PodGc
from pawl.local.controllers.replicaset import ReplicaSetController
from pawl.local.controllers.scheduler import Scheduler


def make(
    registry: Registry, metrics: Metrics | None = None, pod_metric: PodMetric | None = None
) -> list[Controller]:
    return [
        Scheduler(registry),
        JobController(registry),
        JobTtlController(registry),
        ReplicaSetController(registry),
        DeploymentController(registry),
        EndpointsController(registry),
        HpaController(registry, metrics, pod_metric),
        DisruptionController(registry),
        NamespaceController(registry),
        GarbageCollector(registry),
        PodGc(registry),
    ]


async def run(
    registry: Registry,
    *,
    metrics: Metrics | None = None,
    pod_metric: PodMetric | None = None,
    stop: asyncio.Event,
) -> None:
    """Run all controllers until `stop` is set. `metrics`: CPU of pods, for autoscalers;
    `pod_metric`: what custom.metrics.k8s.io tells of pods, for them too."""
    await Host(registry, make(registry, metrics, pod_metric)).run(stop)
