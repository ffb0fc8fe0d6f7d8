"""Deployment: which version is wanted, what is said when there is none, and the replacement."""

from __future__ import annotations

from typing import Any

import pytest
from serving_world import serving, version


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
    assert [event.reason for event in w.events] == ["Starting", "Promoted", "Available"]


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
    assert [event.reason for event in w.events].count("Starting") == 2  # once a version


def test_that_there_is_nothing_to_serve_is_told_once():
    w = serving()
    w.settle()
    w.settle()
    assert [event.reason for event in w.events] == ["NoVersion"]


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


def test_a_version_with_the_bytes_of_the_one_before_is_served_as_itself():
    w = serving(version(1))
    w.settle()
    again = version(2)
    for place, key in ((again["spec"]["artifact"], "digest"), (again["status"], "verifiedDigest")):
        place[key] = "sha256:" + f"{1:064x}"
    w.add(again)
    w.settle()
    status = w.status("Deployment", "churn")
    assert status["stable"]["name"] == "churn-v2"
    assert [h["version"] for h in status["history"]] == ["churn-v2", "churn-v1"]


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


def test_scaling_by_requests_is_refused_without_a_custom_metrics_api():
    w = serving(version(1))
    w.settle()
    spec = w.objects[("Deployment", "churn")]["spec"]
    spec["autoscaling"] = {"min": 1, "max": 3, "targetRequestsPerSecond": 100}
    w.add(version(2))
    w.custom_metrics = False
    w.settle()
    status = w.status("Deployment", "churn")
    assert condition(status, "Stalled")["reason"] == "NoCustomMetrics"
    assert "targetCPUPercent" in condition(status, "Stalled")["message"]
    assert status["stable"]["name"] == "churn-v1"
    w.custom_metrics = True
    w.settle()
    assert w.status("Deployment", "churn")["stable"]["name"] == "churn-v2"
    (scaler,) = w.of("HorizontalPodAutoscaler")
    assert scaler["spec"]["metrics"][0]["pods"]["target"]["averageValue"] == "100"


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
