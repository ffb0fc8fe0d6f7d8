"""The state of objects as series: told by object while it is there, and by the leader only."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from pawl.control.cache import Cache
from pawl.control.kinds import DEPLOYMENTS, MODEL_VERSIONS, TRAINING_JOBS, Resource
from pawl.control.queue import Key, Queue
from pawl.control.states import Seen, look, render

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
CHURN = {"namespace": "ml", "deployment": "churn"}


def put(cache: Cache, resource: Resource, name: str, **parts: Any) -> dict[str, Any]:
    item = {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": resource.kind,
        "metadata": {"name": name, "namespace": "ml", "uid": name, "resourceVersion": "1"},
        "spec": {"model": "churn"},
        **parts,
    }
    cache.learn(resource, item)
    return item


@pytest.fixture
def cache() -> Cache:
    return Cache(None, (), lambda _: None)  # type: ignore[arg-type] - nothing is listed


def told(cache: Cache, queue: Queue | None = None, *, leading: bool = True) -> Series:
    page = render(look(cache, queue or Queue(), leading=leading)).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def of(series: Series, name: str) -> dict[frozenset[tuple[str, str]], float]:
    return {labels: value for (found, labels), value in series.items() if found == name}


def only(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


STATUS = {
    "phase": "Canary",
    "stable": {"name": "churn-v7"},
    "candidate": {"name": "churn-v8"},
    "replicas": 3,
    "readyReplicas": 2,
    "conditions": [{"type": "Drifted", "status": "True", "reason": "Stale"}],
    "traffic": [{"version": "churn-v8", "role": "candidate", "weight": 25}],
    "rolledBack": [
        {"version": "churn-v6", "reason": "GateFailed", "at": "1970-01-01T00:01:00Z"},
        {"version": "churn-v5", "reason": "Aborted", "at": "1970-01-01T00:00:01Z"},
    ],
    "rollout": {
        "candidate": "churn-v8",
        "phase": "Canary",
        "startedAt": "1970-01-01T00:02:00Z",
        "gates": [{"stage": "canary", "metric": "accuracy", "limit": "≤ 1", "verdict": "Pass"}] * 2,
    },
    "drift": {
        "samples": 1200,
        "worst": [{"feature": "age", "metric": "psi", "value": 0.3, "threshold": 0.2}],
        "labels": {"performance": {"metric": "rmse", "value": 2.5, "limit": 2.0}},
    },
    "retrain": {"last": "1970-01-01T00:03:00Z", "fruitless": 2},
}


@pytest.mark.parametrize(
    ("name", "more", "value"),
    [
        pytest.param(
            "info",
            {"model": "churn", "phase": "Canary", "stable": "7", "candidate": "8"},
            1,
            id="versions by the number that servers have as a label",
        ),
        pytest.param(
            "condition", {"condition": "Drifted", "status": "True", "reason": "Stale"}, 1,
            id="condition",
        ),
        pytest.param("replicas", {}, 3, id="replicas"),
        pytest.param("ready_replicas", {}, 2, id="ready replicas"),
        pytest.param("traffic_ratio", {"version": "8", "role": "candidate"}, 0.25, id="traffic"),
        pytest.param(
            "rolled_back_timestamp_seconds", {"version": "6", "reason": "GateFailed"}, 60,
            id="the candidate that was taken back last",
        ),
        pytest.param(
            "rollout_start_timestamp_seconds", {"candidate": "8", "phase": "Canary"}, 120,
            id="rollout",
        ),
        pytest.param(
            "gate",
            {"stage": "canary", "metric": "accuracy", "limit": "≤ 1", "verdict": "Pass"},
            1,
            id="gates that are alike once",
        ),
        pytest.param("drift", {"feature": "age", "metric": "psi"}, 0.3, id="drift"),
        pytest.param("drift_threshold", {"feature": "age", "metric": "psi"}, 0.2, id="threshold"),
        pytest.param("drift_window_rows", {}, 1200, id="rows"),
        pytest.param("truth", {"concern": "performance", "metric": "rmse"}, 2.5, id="truth"),
        pytest.param("truth_limit", {"concern": "performance", "metric": "rmse"}, 2, id="limit"),
        pytest.param("retrain_timestamp_seconds", {}, 180, id="retrain"),
        pytest.param("retrains_fruitless", {}, 2, id="fruitless"),
    ],
)  # fmt: skip
async def test_what_a_deployment_tells(cache: Cache, name: str, more: dict[str, str], value: float):
    put(cache, DEPLOYMENTS, "churn", status=STATUS)
    assert of(told(cache), f"pawl_deployment_{name}") == {only(**CHURN, **more): value}


async def test_an_object_without_a_status_is_new(cache: Cache):
    for resource in (DEPLOYMENTS, TRAINING_JOBS, MODEL_VERSIONS):
        put(cache, resource, "churn")
    counted = of(told(cache), "pawl_objects")
    assert counted == {
        only(namespace="ml", kind=kind, phase="New"): 1
        for kind in ("Deployment", "TrainingJob", "ModelVersion")
    }


async def test_versions_are_counted_by_stage(cache: Cache):
    for number, stage in enumerate(("Champion", "Archived", "Archived")):
        put(cache, MODEL_VERSIONS, f"churn-v{number}", status={"stage": stage})
    counted = of(told(cache), "pawl_objects")
    assert counted == {
        only(namespace="ml", kind="ModelVersion", phase="Champion"): 1,
        only(namespace="ml", kind="ModelVersion", phase="Archived"): 2,
    }


async def test_a_training_job_tells_its_progress(cache: Cache):
    put(cache, TRAINING_JOBS, "nov", status={"phase": "Running", "progress": 30})
    series, who = told(cache), {"namespace": "ml", "training_job": "nov"}
    info = only(**who, model="churn", phase="Running")
    assert of(series, "pawl_training_job_info") == {info: 1}
    assert of(series, "pawl_training_job_progress_ratio") == {only(**who): 0.3}


async def test_the_series_of_an_object_go_with_it(cache: Cache):
    before = told(cache)
    item = put(cache, DEPLOYMENTS, "churn", status=STATUS)
    assert told(cache).keys() > before.keys()
    (reflector,) = cache._reflectors[DEPLOYMENTS]
    reflector._forget(item)
    assert told(cache).keys() == before.keys()


async def test_who_does_not_lead_tells_no_object(cache: Cache):
    put(cache, DEPLOYMENTS, "churn", status=STATUS)
    series = told(cache, leading=False)
    assert not any("churn" in dict(labels).values() for _, labels in series)
    assert of(series, "pawl_operator_cache_objects")[only(resource="modeldeployments")] == 1


async def test_the_queue_tells_how_much_waits(cache: Cache):
    queue = Queue()
    for name in ("a", "b", "c"):
        queue.add(Key("Deployment", "ml", name))
    queue.add_after(Key("Deployment", "ml", "later"), 60)
    await queue.get()
    series = told(cache, queue)
    assert of(series, "pawl_operator_queue_depth") == {only(): 2}
    assert of(series, "pawl_operator_queue_delayed") == {only(): 1}
    for name in ("oldest_wait", "longest_work"):
        assert of(series, f"pawl_operator_queue_{name}_seconds")[only()] > 0


async def test_an_object_that_cannot_be_read_keeps_no_other_from_being_told(cache: Cache):
    put(cache, DEPLOYMENTS, "old", status={"phase": "Serving", "rollout": {"step": 1}})
    put(cache, DEPLOYMENTS, "churn", status=STATUS)
    assert of(told(cache), "pawl_deployment_replicas") == {only(**CHURN): 3}


@given(st.text())
def test_any_name_of_a_feature_can_be_read_back(feature: str):
    worst = [{"feature": feature, "metric": "psi", "value": 1.0, "threshold": 0.2}]
    item = {
        "metadata": {"namespace": "ml", "name": "churn"},
        "spec": {},
        "status": {"drift": {"worst": worst}},
    }
    page = render(Seen((0, 0, 0, 0), {}, {DEPLOYMENTS: (item,)})).decode()
    (line,) = (line for line in page.split("\n") if line.startswith("pawl_deployment_drift{"))
    (family,) = text_string_to_metric_families(line + "\n")
    assert family.samples[0].labels["feature"] == feature
