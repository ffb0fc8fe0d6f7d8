"""Deployment: which version is wanted, what is said when there is none, and the replacement."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from world import INSTALLATION, NOW, World

from pawl.core.deployment import DeploymentObserved, plan_deployment
from pawl.core.front import FrontObserved
from pawl.core.routing.route import Route
from pawl.core.routing.state import RouterState


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

    def reconcile(self) -> dict[str, Any]:
        item = copy.deepcopy(self.objects[("Deployment", "churn")])
        servers = tuple(self.workloads("server"))
        config = self.objects.get(("ConfigMap", "churn-router"))
        observed = DeploymentObserved(
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
        )
        self.carry_out(item, plan_deployment(observed, INSTALLATION, NOW))
        for server in self.workloads("server"):
            count = server["spec"].get("replicas", 1)
            server["status"] = {"readyReplicas": count, "updatedReplicas": count}
        published = self.objects.get(("ConfigMap", "churn-router"))
        if published is not None:
            text = published["metadata"]["annotations"]["pawl.dev/route"]
            self.route = Route.from_json(text)
        return self.status("Deployment", "churn")

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
        state = RouterState(self.route.clusters_revision, self.route.routes_revision, healthy)
        return (state, state)

    def settle(self, name: str = "", limit: int = 20) -> None:
        for _ in range(limit):
            status = self.reconcile()
        assert status


def serving(*versions: Any, **spec: Any) -> Serving:
    w = Serving()
    w.add(deployment(**spec))
    for item in versions:
        w.add(item)
    return w


def condition(status: dict[str, Any], type_: str) -> dict[str, str]:
    return next(c for c in status["conditions"] if c["type"] == type_)


def test_the_newest_servable_version_is_served():
    w = serving(version(1), version(2), version(3, gate="Fail"), replicas=2)
    w.settle()
    status = w.status("Deployment", "churn")
    assert status["stable"]["name"] == "churn-v2"
    assert status["phase"] == "Serving"
    assert status["traffic"] == [{"version": "churn-v2", "role": "stable", "weight": 100}]
    assert condition(status, "Ready")["status"] == "True"
    assert [event.reason for event in w.events] == ["Promoted"]


def test_a_new_version_replaces_the_old_one_and_its_pods_go():
    w = serving(version(1))
    w.settle()
    w.add(version(2))
    w.settle()
    status = w.status("Deployment", "churn")
    assert status["stable"]["name"] == "churn-v2"
    assert [h["version"] for h in status["history"]] == ["churn-v2", "churn-v1"]
    assert [s["metadata"]["name"] for s in w.workloads("server")] == ["churn-v2"]
    assert ("Service", "churn-v1") not in w.objects
    assert len(w.decisions) == 2


def test_an_older_pin_rolls_back():
    w = serving(version(1), version(2))
    w.settle()
    item = w.objects[("Deployment", "churn")]
    w.add({**item, "spec": {**item["spec"], "version": "churn-v1"}})
    w.settle()
    assert w.status("Deployment", "churn")["stable"]["name"] == "churn-v1"
    assert w.events[-1].reason == "RolledBack"


@pytest.mark.parametrize(
    ("versions", "spec", "reason", "stalled"),
    [
        pytest.param([], {}, "NoVersion", "False", id="none"),
        pytest.param([version(1, approval="Required")], {}, "NoVersion", "False", id="waits"),
        pytest.param([version(1, verified="Unknown")], {}, "NoVersion", "False", id="unread"),
        pytest.param(
            [version(1)], {"version": "churn-v9"}, "VersionNotFound", "True", id="no such pin"
        ),
        pytest.param(
            [version(1, verified="False")],
            {"version": "churn-v1"},
            "ArtifactInvalid",
            "True",
            id="bad artifact",
        ),
    ],
)
def test_nothing_to_serve_is_said(
    versions: list[Any], spec: dict[str, str], reason: str, stalled: str
):
    w = serving(*versions, **spec)
    w.settle()
    status = w.status("Deployment", "churn")
    assert condition(status, "Ready")["status"] == "False"
    assert condition(status, "Ready")["reason"] == reason
    assert condition(status, "Stalled")["status"] == stalled
    assert condition(status, "Reconciling")["status"] == "False"
    assert not w.workloads("server")


@pytest.mark.parametrize("change", ["deleted", "rejected"])
def test_a_served_version_stays_served_and_it_is_said(change: str):
    w = serving(version(1))
    w.settle()
    if change == "deleted":
        del w.objects[("ModelVersion", "churn-v1")]
    else:
        w.add(version(1, approval="Rejected"))
    w.settle()
    status = w.status("Deployment", "churn")
    assert status["stable"]["name"] == "churn-v1"
    assert condition(status, "Stalled")["status"] == "True"
    assert len(w.workloads("server")) == 1


def test_latest_never_goes_back():
    w = serving(version(1), version(2))
    w.settle()
    w.add(version(2, approval="Rejected"))
    w.settle()
    assert w.status("Deployment", "churn")["stable"]["name"] == "churn-v2"


def test_a_service_of_somebody_else_is_not_taken_over():
    w = serving(version(1))
    w.add({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "churn", "labels": {}}})
    w.settle()
    assert condition(w.status("Deployment", "churn"), "Stalled")["reason"] == "NameTaken"
    assert "spec" not in w.objects[("Service", "churn")]


def test_a_wiped_status_changes_nothing_that_runs():
    w = serving(version(1), version(2))
    w.settle()
    before = set(w.objects)
    item = w.objects[("Deployment", "churn")]
    item.pop("status")
    w.settle()
    assert set(w.objects) == before
    assert w.status("Deployment", "churn")["stable"]["name"] == "churn-v2"


def test_a_wiped_status_of_a_deleted_version_keeps_it_served():
    w = serving(version(1))
    w.settle()
    del w.objects[("ModelVersion", "churn-v1")]
    w.objects[("Deployment", "churn")].pop("status")
    w.settle()
    assert w.status("Deployment", "churn")["stable"]["name"] == "churn-v1"


def test_without_routers_it_is_not_available():
    w = serving(version(1))
    w.routers_up = False
    w.settle()
    status = w.status("Deployment", "churn")
    assert condition(status, "Available")["status"] == "False"
    assert "stable" not in status


def test_an_autoscaler_owns_the_replicas_once_it_has_written_them():
    spec = {
        "autoscaling": {"min": 2, "max": 5},
        "server": {"resources": {"requests": {"cpu": "1"}}},
    }
    w = serving(version(1), **spec)
    w.settle()
    server = w.workloads("server")[0]
    assert server["spec"]["replicas"] == 2
    server["metadata"]["managedFields"] = [
        {"manager": "hpa", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    ]
    server["spec"]["replicas"] = 4
    w.add(version(2))
    w.settle()
    assert w.workloads("server")[0]["metadata"]["name"] == "churn-v2"
    assert w.workloads("server")[0]["spec"]["replicas"] == 4
