"""A cluster for planner tests of Deployments: pods get ready and routers follow, one reconcile at a
time; what is measured is made up."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

from world import INSTALLATION, World

from pawl.core.deployment import DeploymentObserved, plan_deployment
from pawl.core.front import FrontObserved
from pawl.core.measurement import Measurement
from pawl.core.routing.route import Route
from pawl.core.routing.state import RouterState, Totals


def deployment(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": "churn", "namespace": "ml", "uid": "uid-d", "generation": 1},
        "spec": {"model": "churn", **spec},
    }


def version(number: int, *, verified: str = "True", gate: str = "Pass", **spec: Any) -> Any:
    digest = "sha256:" + f"{number:064x}"
    conditions = [
        {
            "type": "ArtifactVerified",
            "status": verified,
            "reason": "x",
            "message": "bytes differ" if verified == "False" else "",
            "lastTransitionTime": "2026-11-21T12:00:00Z",
        }
    ]
    return {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {"name": f"churn-v{number}", "namespace": "ml", "generation": 1},
        "spec": {
            "model": "churn",
            "version": number,
            "artifact": {"uri": f"s3://m/{number}", "digest": digest},
            "gates": [{"metric": "roc_auc", "kind": "min", "verdict": gate, "limit": 0.5}],
            **spec,
        },
        "status": {"conditions": conditions, "verifiedDigest": digest},
    }


class Serving(World):
    """A world in which pods get ready and routers follow, one reconcile at a time."""

    route = Route("churn")
    routers_up = True
    totals: dict[int, Totals] = {}  # noqa: RUF012 - replaced, never changed
    measured: Measurement | None = None
    custom_metrics = True

    def observe(self) -> DeploymentObserved:
        item = copy.deepcopy(self.objects[("Deployment", "churn")])
        servers = tuple(self.workloads("server"))
        config = self.objects.get(("ConfigMap", "churn-router"))
        return DeploymentObserved(
            object=item,
            versions=self.of("ModelVersion"),
            servers=servers,
            services=tuple(
                s for s in self.of("Service") if s["metadata"]["labels"].get("pawl.dev/version")
            ),
            front=FrontObserved(
                routers=self.states(),
                config_map=config,
                service=self.objects.get(("Service", "churn")),
            ),
            autoscalers=self.of("HorizontalPodAutoscaler"),
            measured=self.measured,
            custom_metrics=self.custom_metrics,
        )

    def reconcile(self, die_after: int | None = None) -> dict[str, Any]:
        observed = self.observe()
        plan = plan_deployment(observed, INSTALLATION, self.clock)
        self.carry_out(observed.object, plan, die_after)
        self.follow()
        return self.status("Deployment", "churn")

    def follow(self) -> None:
        """Pods get ready, routers load what is published, a second goes by."""
        self.clock += timedelta(seconds=1)
        for server in self.workloads("server"):
            count = server["spec"].get("replicas", 1)
            server["status"] = {"readyReplicas": count, "updatedReplicas": count}
        published = self.objects.get(("ConfigMap", "churn-router"))
        if published is not None:
            text = published["metadata"]["annotations"]["pawl.dev/route"]
            self.route = Route.from_json(text)

    def workloads(self, role: str) -> list[dict[str, Any]]:
        return [
            item
            for (kind, _), item in self.objects.items()
            if kind == "Deployment"
            and item["apiVersion"] == "apps/v1"
            and item["metadata"]["labels"]["pawl.dev/role"] == role
        ]

    def states(self) -> tuple[RouterState, ...]:
        if not self.routers_up:
            return ()
        healthy = dict.fromkeys(self.route.weights, 9)
        state = RouterState(
            self.route.clusters_revision,
            self.route.routes_revision,
            healthy,
            pod="router",
            totals=self.totals,
        )
        return (state,)

    def settle(self, name: str = "", limit: int = 20) -> None:
        for _ in range(limit):
            status = self.reconcile()
        assert status


def serving(*versions: Any, make: type[Serving] = Serving, **spec: Any) -> Any:
    w = make()
    w.add(deployment(**spec))
    for item in versions:
        w.add(item)
    return w
