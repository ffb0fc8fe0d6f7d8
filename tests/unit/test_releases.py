"""What every earlier release left in a cluster keeps working: it is valid, nothing of it is lost,
and planning from it starts no run and no rollout. Recorded by tests/e2e/test_releases.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from pawl.api.crds import all_crds
from pawl.core.conditions import parse_timestamp
from pawl.core.deployment import DeploymentObserved, plan_deployment
from pawl.core.front import FrontObserved
from pawl.core.installation import Images, Installation
from pawl.core.modelversion import ModelVersionObserved, plan_model_version, settled
from pawl.core.plan import Apply, Plan
from pawl.core.routing.route import Route
from pawl.core.routing.state import RouterState
from pawl.core.trainingjob import TrainingJobObserved, plan_training_job
from pawl.local.api import bootstrap
from pawl.local.api.registry import Registry

RELEASES = sorted((Path(__file__).parents[1] / "fixtures/releases").iterdir())
OURS = {
    "TrainingJob": "pawl.dev/trainingjobs",
    "ModelVersion": "pawl.dev/modelversions",
    "Deployment": "pawl.dev/modeldeployments",
}


class Release:
    """The objects of a namespace, by kind, as a release has left them."""

    def __init__(self, folder: Path) -> None:
        self.version = folder.name.rpartition("-")[2]
        self.objects: dict[str, tuple[Any, ...]] = {}
        for path in folder.glob("*.yaml"):
            self.objects[path.stem] = tuple(yaml.safe_load_all(path.read_text()))

    def of(self, stem: str, **labels: str) -> tuple[Any, ...]:
        wanted = {f"pawl.dev/{name}": value for name, value in labels.items()}
        found = self.objects[stem]
        return tuple(i for i in found if wanted.items() <= i["metadata"].get("labels", {}).items())

    @property
    def installation(self) -> Installation:
        names = ("server", "server-sklearn", "trainer", "router")
        images = Images(*(f"pawl/{name}:{self.version}" for name in names))
        return Installation("default", "file:///pawl/store", images, server_drain_seconds=10)

    def deployment(self) -> DeploymentObserved:
        """With routers that follow what is published."""
        (item,) = self.of("deployments")
        (config,) = self.of("configmaps", role="router")
        route = Route.from_json(config["metadata"]["annotations"]["pawl.dev/route"])
        healthy = dict.fromkeys(route.weights, 9)
        router = RouterState(route.clusters_revision, route.routes_revision, healthy, pod="router")
        (service,) = (s for s in self.of("services") if s["metadata"]["name"] == "cancer")
        return DeploymentObserved(
            object=item,
            versions=self.of("modelversions"),
            servers=self.of("workloads", role="server"),
            services=self.of("services", role="server"),
            front=FrontObserved(routers=(router,), config_map=config, service=service),
            recipe=self.of("trainingjobs")[0],
        )


@pytest.fixture(params=RELEASES, ids=lambda folder: folder.name)
def release(request: pytest.FixtureRequest) -> Release:
    return Release(request.param)


@pytest.fixture(scope="module")
def registry() -> Registry:
    made = Registry()
    bootstrap.populate(made)
    for crd in all_crds():
        made.create("apiextensions.k8s.io/customresourcedefinitions", None, crd, manager="test")
    return made


def ours(release: Release) -> Iterator[Any]:
    for stem in ("trainingjobs", "modelversions", "deployments"):
        yield from release.of(stem)


def test_what_is_stored_is_valid_today_and_nothing_of_it_is_lost(
    release: Release, registry: Registry
):
    namespace = f"r{release.version.replace('.', '-')}"
    registry.create("namespaces", None, {"metadata": {"name": namespace}}, manager="test")
    for item in ours(release):
        resource = OURS[item["kind"]]
        fresh = {**item, "metadata": {"name": item["metadata"]["name"], "namespace": namespace}}
        made = registry.create(resource, namespace, fresh, manager="test")
        told = {**made, "status": item["status"]}
        stored = registry.update(resource, namespace, told, manager="test", subresource="status")
        assert kept(item["spec"], stored["spec"])
        assert kept(item["status"], stored["status"])


def kept(old: Any, new: Any) -> bool:
    """Whether all of `old` is in `new`, which may have fields that are newer than the release."""
    if isinstance(old, dict):
        return all(key in new and kept(value, new[key]) for key, value in old.items())
    if isinstance(old, list):
        return len(old) == len(new) and all(kept(a, b) for a, b in zip(old, new, strict=True))
    return bool(old == new)


def test_no_run_starts_again(release: Release):
    for item in release.of("trainingjobs"):
        owner = item["metadata"]["name"]
        observed = TrainingJobObserved(
            object=item,
            jobs=release.of("jobs", **{"training-job": owner}),
            versions=release.of("modelversions"),
            deployments=release.of("deployments"),
        )
        now = parse_timestamp(item["status"]["completionTime"]) + timedelta(minutes=1)
        plan = plan_training_job(observed, release.installation, now)
        assert (plan.actions, plan.events) == ((), ())
        assert kept(item["status"], plan.status)


def test_no_artifact_is_read_again_and_no_stage_moves(release: Release):
    for item in release.of("modelversions"):
        earlier = settled(item)
        assert earlier is not None
        observed = ModelVersionObserved(
            item, release.of("modelversions"), release.of("deployments"), earlier
        )
        now = parse_timestamp(item["metadata"]["creationTimestamp"]) + timedelta(hours=1)
        plan = plan_model_version(observed, now)
        assert (plan.actions, plan.events, plan.status) == ((), (), item["status"])


def planned(observed: DeploymentObserved, release: Release) -> Plan:
    begun = observed.object["metadata"]["creationTimestamp"]
    return plan_deployment(
        observed, release.installation, parse_timestamp(begun) + timedelta(minutes=5)
    )


STANDS = ("phase", "stable", "candidate", "traffic", "rolledBack", "history", "requests")


def test_a_rollout_goes_on_from_where_it_was(release: Release):
    observed = release.deployment()
    plan = planned(observed, release)
    before, after = observed.object["status"], plan.status
    assert after is not None
    assert {name: after.get(name) for name in STANDS} == {name: before[name] for name in STANDS}
    place = (
        "phase",
        "candidate",
        "attempt",
        "step",
        "weight",
        "startedAt",
        "stepStartedAt",
        "pausedAt",
    )
    assert [after["rollout"][name] for name in place if name in before["rollout"]] == [
        before["rollout"][name] for name in place if name in before["rollout"]
    ]
    assert plan.events == ()
    routes = [
        action.object["metadata"]["annotations"]["pawl.dev/route"]
        for action in plan.actions
        if isinstance(action, Apply) and action.object["kind"] == "ConfigMap"
    ]
    published = observed.front.config_map
    assert published is not None
    assert routes == [published["metadata"]["annotations"]["pawl.dev/route"]]


def test_pods_change_with_the_image_alone(release: Release):
    """Told the images of that release, today's planner makes its pods."""
    observed = release.deployment()
    before = {item["metadata"]["name"]: item for item in observed.servers}
    for action in planned(observed, release).actions:
        if not isinstance(action, Apply) or action.object["metadata"]["name"] not in before:
            continue
        if action.object["kind"] == "Deployment":
            stored = before[action.object["metadata"]["name"]]["spec"]["template"]
            assert contained(action.object["spec"]["template"], stored) == ""


def contained(wanted: Any, stored: Any, path: str = "") -> str:
    """Where `stored`, which has defaults too, differs from what is wanted; empty: nowhere."""
    if isinstance(wanted, dict):
        found = (
            contained(value, (stored or {}).get(key), f"{path}.{key}")
            for key, value in wanted.items()
        )
        return next((text for text in found if text), "")
    if isinstance(wanted, list) and isinstance(stored, list) and len(wanted) == len(stored):
        found = (
            contained(w, s, f"{path}[{i}]")
            for i, (w, s) in enumerate(zip(wanted, stored, strict=True))
        )
        return next((text for text in found if text), "")
    return (
        "" if wanted == stored or (not wanted and stored is None) else f"{path}: {wanted} {stored}"
    )


def test_a_status_that_is_lost_changes_nothing_of_the_traffic(release: Release):
    observed = release.deployment()
    lost = {key: value for key, value in observed.object.items() if key != "status"}
    plan = planned(replace(observed, object=lost), release)
    assert plan.status is not None
    assert plan.status["stable"] == observed.object["status"]["stable"]
    assert [e["version"] for e in plan.status["rolledBack"]] == ["cancer-v2"]
