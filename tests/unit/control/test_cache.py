"""The cache: who is woken by what."""

from __future__ import annotations

from typing import Any

import pytest

from pawl.control.cache import Cache
from pawl.control.kinds import DEPLOYMENTS, MODEL_VERSIONS, PODS, TRAINING_JOBS, WORKLOADS
from pawl.control.queue import Key

VERSION = Key("ModelVersion", "ml", "m-v1")
DEPLOYMENT = Key("Deployment", "ml", "m")
TRAINING = Key("TrainingJob", "ml", "t")


def item(kind: str, name: str, revision: int, **parts: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "ml", "uid": name, "resourceVersion": str(revision)}
    return {"apiVersion": "pawl.dev/v1alpha1", "kind": kind, "metadata": meta, **parts}


def deployment(revision: int, **status: Any) -> dict[str, Any]:
    return item("Deployment", "m", revision, spec={"model": "m"}, status=status)


@pytest.fixture
def woken() -> list[Key]:
    return []


@pytest.fixture
def cache(woken: list[Key]) -> Cache:
    made = Cache(None, (), woken.append)  # type: ignore[arg-type] - nothing is listed
    made.learn(MODEL_VERSIONS, item("ModelVersion", "m-v1", 1, spec={"model": "m"}))
    made.learn(DEPLOYMENTS, deployment(2))
    woken.clear()
    return made


@pytest.mark.parametrize(
    ("status", "also"),
    [
        pytest.param(
            {"stable": {"name": "m-v1", "since": "t"}}, [VERSION, TRAINING], id="what is served"
        ),
        pytest.param({"candidate": {"name": "m-v1"}}, [VERSION, TRAINING], id="what is tried"),
        pytest.param({"observedGeneration": 1}, [VERSION, TRAINING], id="that nothing is"),
        pytest.param({"rollout": {"measuredTo": 7}}, [], id="what was measured"),
    ],
)
def test_others_are_woken_by_what_is_served_and_not_by_every_measurement(
    cache: Cache, woken: list[Key], status: Any, also: list[Key]
):
    cache.learn(TRAINING_JOBS, item("TrainingJob", "t", 3, spec={"model": "m"}))
    woken.clear()
    cache.learn(DEPLOYMENTS, deployment(4, **status))
    assert woken == [DEPLOYMENT, *also]


VERIFIED = {"type": "ArtifactVerified", "status": "True"}


@pytest.mark.parametrize(
    ("status", "also"),
    [
        pytest.param({"conditions": [VERIFIED]}, True, id="its artifact is what it must be"),
        pytest.param({"verifiedDigest": "sha256:ab"}, True, id="its digest"),
        pytest.param({"observedGeneration": 1}, True, id="that it was looked at"),
        pytest.param({"stage": "Champion"}, False, id="its stage"),
        pytest.param({"deployedBy": [{"name": "m", "role": "stable"}]}, False, id="who serves it"),
    ],
)
def test_siblings_are_woken_by_what_they_look_at_and_trainings_by_all(
    cache: Cache, woken: list[Key], status: Any, also: bool
):
    cache.learn(MODEL_VERSIONS, item("ModelVersion", "m-v2", 3, spec={"model": "m"}))
    cache.learn(TRAINING_JOBS, item("TrainingJob", "t", 4, spec={"model": "m"}))
    woken.clear()
    version = item("ModelVersion", "m-v2", 5, spec={"model": "m"}, status=status)
    cache.learn(MODEL_VERSIONS, version)
    own = Key("ModelVersion", "ml", "m-v2")
    assert woken == [own, *([VERSION, own, DEPLOYMENT] if also else []), TRAINING]


def test_a_version_that_goes_wakes_all_that_counted_on_it(cache: Cache, woken: list[Key]):
    version = item("ModelVersion", "m-v1", 1, spec={"model": "m"})
    cache._changed(MODEL_VERSIONS, version, version)
    assert DEPLOYMENT in woken


def test_a_status_of_ones_own_wakes_others_and_not_oneself(cache: Cache, woken: list[Key]):
    cache.learn(DEPLOYMENTS, deployment(3, stable={"name": "m-v1"}), quietly=True)
    assert woken == [VERSION]
    cache.learn(DEPLOYMENTS, deployment(4))
    assert woken == [VERSION, DEPLOYMENT, VERSION]


def test_a_pod_is_found_by_its_labels_and_wakes_its_deployment(cache: Cache, woken: list[Key]):
    labels = {"pawl.dev/deployment": "m", "pawl.dev/version": "1"}
    pod = item("Pod", "p", 4)
    pod["metadata"]["labels"] = labels
    cache.learn(PODS, pod)
    assert woken == [DEPLOYMENT]
    assert cache.labelled(PODS, "ml", deployment="m", version="1") == (pod,)
    assert cache.labelled(PODS, "ml", deployment="m", version="2") == ()
    assert cache.labelled(PODS, "other", deployment="m") == ()


def test_what_another_namespace_claims_to_be_owned_is_not(cache: Cache):
    owner = deployment(2)
    child = item("Deployment", "m-v1", 5)
    child["metadata"]["ownerReferences"] = [
        {"apiVersion": "pawl.dev/v1alpha1", "kind": "Deployment", "name": "m", "uid": "m"}
    ]
    cache.learn(WORKLOADS, {**child, "metadata": {**child["metadata"], "namespace": "other"}})
    assert cache.owned(WORKLOADS, owner) == ()
    cache.learn(WORKLOADS, child)
    assert cache.owned(WORKLOADS, owner) == (child,)
