"""All controllers over the real registry; the test plays the node by writing pod statuses."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from pawl.local.api.errors import ApiError
from pawl.local.api.registry import Registry
from pawl.local.controllers import run
from pawl.local.controllers.objects import Obj, deleting, name, stamp, status

DEADLINE = 10.0
AUTOSCALERS = "autoscaling/horizontalpodautoscalers"


class Cluster:
    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.cpu: dict[str, float] = {}
        self._changed = asyncio.Event()
        for resource in registry.catalog.stored():
            registry.on_write(resource.table, lambda *_: self._changed.set())

    def cpu_millicores(self, namespace: str, pod: str) -> float | None:
        return self.cpu.get(pod)

    def create(self, resource: str, obj: Obj, namespace: str | None = "default") -> Obj:
        return self.registry.create(resource, namespace, obj, manager="test")

    def find(self, resource: str, called: str, namespace: str | None = "default") -> Obj | None:
        try:
            return self.registry.get(resource, namespace, called)
        except ApiError:
            return None

    def pods(self) -> list[Obj]:
        return self.registry.list("pods", "default")

    def set_status(self, pod: Obj, state: Obj) -> None:
        self.registry.patch(
            "pods",
            pod["metadata"]["namespace"],
            name(pod),
            {"status": state},
            kind="merge",
            manager="node",
            subresource="status",
        )

    def start(self, pod: Obj) -> None:
        now = stamp(datetime.now(UTC))
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
        state = {"phase": "Running", "podIP": "127.0.9.9", "podIPs": [{"ip": "127.0.9.9"}]}
        self.set_status(pod, {**state, "startTime": now, "conditions": [ready]})

    def end(self, pod: Obj, code: int = 0) -> None:
        now = stamp(datetime.now(UTC))
        terminated = {"exitCode": code, "startedAt": now, "finishedAt": now}
        container = {"name": "main", "state": {"terminated": terminated}, "ready": False}
        container |= {"restartCount": 0, "image": "i", "imageID": ""}
        phase = "Failed" if code else "Succeeded"
        self.set_status(pod, {"phase": phase, "containerStatuses": [container]})

    def finish_deletions(self) -> None:
        for pod in self.registry.list("pods"):
            if deleting(pod):
                where = pod["metadata"]["namespace"]
                self.registry.delete("pods", where, name(pod), manager="node", grace_period=0)

    async def until(self, what: Callable[[], Any]) -> Any:
        """Wait for something that is true; looked at after every write to the registry."""
        async with asyncio.timeout(DEADLINE):
            while not (found := what()):
                self._changed.clear()
                await self._changed.wait()
        return found

    async def rolled_out(self, deployment: str, count: int) -> None:
        """Play the node until the deployment is complete."""

        def complete() -> bool:
            for pod in self.pods():
                if pod["spec"].get("nodeName") and status(pod)["phase"] == "Pending":
                    self.start(pod)
            self.finish_deletions()
            live = self.registry.get("apps/deployments", "default", deployment)
            state = status(live)
            seen = state.get("observedGeneration") == live["metadata"]["generation"]
            fields = ("replicas", "updatedReplicas", "availableReplicas")
            return seen and all(state.get(field) == count for field in fields)

        await self.until(complete)


@asynccontextmanager
async def running(registry: Registry) -> AsyncIterator[Cluster]:
    cluster, stop = Cluster(registry), asyncio.Event()
    task = asyncio.create_task(run(registry, metrics=cluster, stop=stop))
    try:
        yield cluster
    finally:
        stop.set()
        async with asyncio.timeout(DEADLINE):
            await task


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    registry = new_registry()
    node = {"metadata": {"name": "local"}}
    registry.create("nodes", None, node, manager="node")
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "500"}
    body = {"status": {"allocatable": allocatable, "capacity": allocatable}}
    registry.patch("nodes", None, "local", body, kind="merge", manager="node", subresource="status")
    if not any(name(ns) == "default" for ns in registry.list("namespaces")):
        registry.create("namespaces", None, {"metadata": {"name": "default"}}, manager="test")
    async with running(registry) as found:
        yield found


def new_registry() -> Registry:
    return Registry()


TEMPLATE = {
    "metadata": {"labels": {"app": "a"}},
    "spec": {
        "containers": [
            {
                "name": "main",
                "image": "busybox",
                "ports": [{"name": "web", "containerPort": 8080}],
                "resources": {"requests": {"cpu": "100m"}},
            }
        ]
    },
}


def job(called: str = "j", **spec: Any) -> Obj:
    template = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}  # type: ignore[dict-item]
    return {"metadata": {"name": called}, "spec": {"template": template, **spec}}


def deployment(called: str = "d", replicas: int = 2, **spec: Any) -> Obj:
    selector = {"matchLabels": {"app": "a"}}
    full = {"replicas": replicas, "selector": selector, "template": TEMPLATE, **spec}
    return {"metadata": {"name": called}, "spec": full}


def true_conditions(obj: Obj | None) -> set[str]:
    conditions = status(obj or {}).get("conditions") or ()
    return {c["type"] for c in conditions if c["status"] == "True"}


async def test_a_job_runs_from_creation_to_completion(cluster: Cluster) -> None:
    cluster.create("batch/jobs", job())
    (pod,) = await cluster.until(
        lambda: [p for p in cluster.pods() if p["spec"].get("nodeName") == "local"]
    )
    assert name(pod).startswith("j-")
    cluster.start(pod)
    await cluster.until(lambda: status(cluster.find("batch/jobs", "j") or {}).get("ready") == 1)
    cluster.end(pod)
    await cluster.until(lambda: "Complete" in true_conditions(cluster.find("batch/jobs", "j")))
    (pod,) = cluster.pods()
    assert "finalizers" not in pod["metadata"]
    told = {e["reason"] for e in cluster.registry.list("events", "default")}
    assert {"SuccessfulCreate", "Scheduled", "Completed"} <= told


async def test_the_pod_of_a_job_is_there_within_milliseconds(cluster: Cluster) -> None:
    await cluster.until(lambda: cluster.find("serviceaccounts", "default"))
    delays = []
    for number in range(5):
        begun = time.perf_counter()
        cluster.create("batch/jobs", job(f"j{number}"))
        wanted = number + 1
        await cluster.until(
            lambda n=wanted: sum(bool(p["spec"].get("nodeName")) for p in cluster.pods()) == n
        )
        delays.append(time.perf_counter() - begun)
    assert sorted(delays)[2] < 0.2


async def test_deleting_a_job_takes_its_pods_along(cluster: Cluster) -> None:
    cluster.create("batch/jobs", job(parallelism=2, completions=2))
    await cluster.until(lambda: len([p for p in cluster.pods() if p["spec"].get("nodeName")]) == 2)
    cluster.registry.delete("batch/jobs", "default", "j", manager="t", propagation="Background")
    await cluster.until(lambda: all(deleting(p) for p in cluster.pods()))
    await cluster.until(lambda: not any(p["metadata"].get("finalizers") for p in cluster.pods()))
    cluster.finish_deletions()
    assert cluster.pods() == []


async def test_a_pod_of_a_job_that_is_deleted_before_it_has_a_node_has_failed(
    cluster: Cluster,
) -> None:
    nowhere = job(backoffLimit=0)
    nowhere["spec"]["template"]["spec"]["nodeSelector"] = {"pool": "none"}
    nowhere["spec"]["podFailurePolicy"] = {
        "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
    }
    cluster.create("batch/jobs", nowhere)
    (pod,) = await cluster.until(cluster.pods)
    cluster.registry.delete("pods", "default", name(pod), manager="t", grace_period=0)
    await cluster.until(lambda: not cluster.pods())
    await cluster.until(lambda: "Failed" in true_conditions(cluster.find("batch/jobs", "j")))


async def test_foreground_deletion_waits_for_the_dependants(cluster: Cluster) -> None:
    cluster.create("apps/deployments", deployment())
    await cluster.rolled_out("d", 2)
    cluster.registry.delete(
        "apps/deployments", "default", "d", manager="t", propagation="Foreground"
    )
    await cluster.until(lambda: all(deleting(p) for p in cluster.pods()))
    assert cluster.find("apps/deployments", "d") is not None
    cluster.finish_deletions()
    await cluster.until(lambda: cluster.find("apps/deployments", "d") is None)
    assert cluster.registry.list("apps/replicasets", "default") == []


async def test_orphans_stay_and_are_adopted_by_the_next_owner(cluster: Cluster) -> None:
    cluster.create("apps/deployments", deployment())
    await cluster.rolled_out("d", 2)
    before = {p["metadata"]["uid"] for p in cluster.pods()}
    cluster.registry.delete("apps/deployments", "default", "d", manager="t", propagation="Orphan")
    await cluster.until(lambda: cluster.find("apps/deployments", "d") is None)
    (replica_set,) = cluster.registry.list("apps/replicasets", "default")
    assert "ownerReferences" not in replica_set["metadata"]
    cluster.create("apps/deployments", deployment())
    await cluster.rolled_out("d", 2)
    assert {p["metadata"]["uid"] for p in cluster.pods()} == before


async def test_a_rollout_a_rollback_and_a_scale(cluster: Cluster) -> None:
    made = cluster.create("apps/deployments", deployment(replicas=3))
    await cluster.rolled_out("d", 3)
    container = {**made["spec"]["template"]["spec"]["containers"][0], "image": "busybox:2"}
    for body, count in (
        ({"spec": {"template": {"spec": {"containers": [container]}}}}, 3),
        ({"spec": {"template": made["spec"]["template"]}}, 3),
        ({"spec": {"replicas": 1}}, 1),
    ):
        cluster.registry.patch("apps/deployments", "default", "d", body, kind="merge", manager="t")
        await cluster.rolled_out("d", count)
    live = cluster.registry.get("apps/deployments", "default", "d")
    assert live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert true_conditions(live) == {"Available", "Progressing"}
    assert len(cluster.registry.list("apps/replicasets", "default")) == 2


async def test_a_service_follows_its_pods(cluster: Cluster) -> None:
    ports = [{"port": 80, "targetPort": "web"}]
    service = {"metadata": {"name": "s"}, "spec": {"selector": {"app": "a"}, "ports": ports}}
    cluster.create("services", service)

    def endpoints() -> list[Obj]:
        slices = cluster.registry.list("discovery.k8s.io/endpointslices", "default")
        return [e for s in slices for e in s.get("endpoints") or ()]

    await cluster.until(lambda: cluster.registry.list("discovery.k8s.io/endpointslices", "default"))
    cluster.create("apps/deployments", deployment(replicas=1))
    await cluster.rolled_out("d", 1)
    (found,) = await cluster.until(endpoints)
    assert found["conditions"]["ready"] is True
    (pod,) = cluster.pods()
    relabel = {"metadata": {"labels": {"app": "other"}}}
    cluster.registry.patch("pods", "default", name(pod), relabel, kind="merge", manager="t")
    await cluster.until(lambda: all(e["targetRef"]["name"] != name(pod) for e in endpoints()))
    cluster.registry.delete("services", "default", "s", manager="t")
    await cluster.until(
        lambda: not cluster.registry.list("discovery.k8s.io/endpointslices", "default")
    )


async def test_a_namespace_is_emptied_and_goes(cluster: Cluster) -> None:
    cluster.create("namespaces", {"metadata": {"name": "n"}}, None)
    await cluster.until(lambda: cluster.find("serviceaccounts", "default", "n"))
    await cluster.until(lambda: cluster.find("configmaps", "kube-root-ca.crt", "n"))
    cluster.create("apps/deployments", deployment(replicas=1), "n")
    await cluster.until(
        lambda: [p for p in cluster.registry.list("pods", "n") if p["spec"].get("nodeName")]
    )
    cluster.registry.delete("namespaces", None, "n", manager="t")
    await cluster.until(lambda: all(deleting(p) for p in cluster.registry.list("pods", "n")))
    stuck = cluster.registry.get("namespaces", None, "n")
    assert status(stuck)["phase"] == "Terminating"
    await cluster.until(
        lambda: (
            "NamespaceContentRemaining" in true_conditions(cluster.find("namespaces", "n", None))
        )
    )
    cluster.finish_deletions()
    await cluster.until(lambda: cluster.find("namespaces", "n", None) is None)
    assert cluster.registry.list("configmaps", "n") == []


async def test_an_autoscaler_scales_a_busy_deployment(cluster: Cluster) -> None:
    cluster.create("apps/deployments", deployment(replicas=1))
    await cluster.rolled_out("d", 1)
    long_ago = "2020-01-01T00:00:00Z"
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": long_ago}
    (pod,) = cluster.pods()
    cluster.set_status(pod, {"startTime": long_ago, "conditions": [ready]})
    cluster.cpu[name(pod)] = 200.0
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    target = {"type": "Utilization", "averageUtilization": 100}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    spec = {"minReplicas": 1, "maxReplicas": 5, "scaleTargetRef": ref, "metrics": [metric]}
    cluster.create(
        "autoscaling/horizontalpodautoscalers", {"metadata": {"name": "h"}, "spec": spec}
    )
    await cluster.rolled_out("d", 2)
    hpa = cluster.registry.get("autoscaling/horizontalpodautoscalers", "default", "h")
    assert status(hpa)["desiredReplicas"] == 2


async def test_a_pod_that_does_not_fit_is_placed_once_there_is_room(cluster: Cluster) -> None:
    def pod(called: str) -> Obj:
        resources = {"requests": {"cpu": "3"}}
        container = {"name": "main", "image": "busybox", "resources": resources}
        return {"metadata": {"name": called}, "spec": {"containers": [container]}}

    cluster.create("pods", pod("first"))
    await cluster.until(lambda: (cluster.find("pods", "first") or {})["spec"].get("nodeName"))
    cluster.create("pods", pod("second"))

    def refused() -> bool:
        conditions = status(cluster.find("pods", "second") or {}).get("conditions") or ()
        return any(c.get("reason") == "Unschedulable" for c in conditions)

    await cluster.until(refused)
    cluster.end(cluster.registry.get("pods", "default", "first"))
    await cluster.until(lambda: (cluster.find("pods", "second") or {})["spec"].get("nodeName"))


async def test_a_finished_job_goes_after_its_time_to_live(cluster: Cluster) -> None:
    cluster.create("batch/jobs", job(ttlSecondsAfterFinished=0))
    (pod,) = await cluster.until(cluster.pods)
    cluster.end(pod)
    await cluster.until(lambda: cluster.find("batch/jobs", "j") is None)
    await cluster.until(lambda: cluster.pods() == [])


def crd(served: bool = True) -> Obj:
    names = {"plural": "widgets", "kind": "Widget"}
    count = {"type": "integer"}
    properties = {
        "spec": {"type": "object", "properties": {"size": count}},
        "status": {"type": "object", "properties": {"n": count, "pods": {"type": "string"}}},
    }
    scale = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.n"}
    version = {
        "name": "v1",
        "served": served,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
        "subresources": {"status": {}, "scale": {**scale, "labelSelectorPath": ".status.pods"}},
    }
    spec = {"group": "example.com", "names": names, "scope": "Namespaced", "versions": [version]}
    return {"metadata": {"name": "widgets.example.com"}, "spec": spec}


CRDS = "apiextensions.k8s.io/customresourcedefinitions"


def owned_config_map(called: str, owner: Obj) -> Obj:
    ref = {"apiVersion": "example.com/v1", "kind": "Widget", "name": name(owner)}
    return {
        "metadata": {
            "name": called,
            "ownerReferences": [{**ref, "uid": owner["metadata"]["uid"]}],
        }
    }


async def test_dependants_of_custom_resources_go_with_them(cluster: Cluster) -> None:
    for round_number in range(2):  # also when the CRD was deleted and made again
        cluster.create(CRDS, crd(), None)
        widget = cluster.create("example.com/widgets", {"metadata": {"name": "w"}})
        called = f"c{round_number}"
        cluster.create("configmaps", owned_config_map(called, widget))
        cluster.registry.delete("example.com/widgets", "default", "w", manager="t")
        await cluster.until(lambda c=called: cluster.find("configmaps", c) is None)
        cluster.registry.delete(CRDS, None, "widgets.example.com", manager="t")
        await cluster.until(lambda: cluster.find(CRDS, "widgets.example.com", None) is None)


async def test_an_owner_that_never_was_takes_the_object_along(cluster: Cluster) -> None:
    cluster.create(CRDS, crd(), None)
    ghost = {"metadata": {"name": "ghost", "uid": "no-such-uid"}}
    cluster.create("configmaps", owned_config_map("c", ghost))
    await cluster.until(lambda: cluster.find("configmaps", "c") is None)


async def test_an_autoscaler_scales_a_custom_resource(cluster: Cluster) -> None:
    cluster.create(CRDS, crd(), None)
    widget = {"metadata": {"name": "w"}, "spec": {"size": 9}}
    cluster.create("example.com/widgets", widget)
    ref = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w"}
    spec = {"minReplicas": 1, "maxReplicas": 5, "scaleTargetRef": ref}
    cluster.create(AUTOSCALERS, {"metadata": {"name": "h"}, "spec": spec})
    await cluster.until(
        lambda: (cluster.find("example.com/widgets", "w") or {})["spec"]["size"] == 5
    )
