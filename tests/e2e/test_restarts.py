"""The operator is killed in the middle of things; the end is the same."""

from __future__ import annotations

import recipes
from harness import Space, columns_body, eventually
from load import Load


def test_killed_in_the_middle_of_a_training_and_of_a_replacement(space: Space):
    rows = recipes.cancer()
    uri = space.put("cancer.parquet", rows)
    space.create("TrainingJob", "first", recipes.sklearn_job(uri))
    space.create("Deployment", "cancer", {"model": "cancer", "replicas": 1})
    eventually(lambda: bool(space.list("Pod", "pawl.dev/training-job=first")), "a training pod")
    space.cluster.kill_operator()
    first = space.trained("first")
    assert first == "cancer-v1"
    space.serving("cancer", first)
    body = columns_body({name: float(rows[name][0]) for name in recipes.FEATURES})
    with Load(space.url("cancer"), "cancer", body) as load:
        space.create("TrainingJob", "second", recipes.sklearn_job(uri, seed=4))
        second = space.trained("second")
        eventually(
            lambda: bool(space.list("Pod", "pawl.dev/version=2")), "a pod of the second version"
        )
        space.cluster.kill_operator()
        space.serving("cancer", second)
    assert load.failed == []
    assert len(space.list("ModelVersion")) == 2
    assert len(space.list("Job")) == 2
    assert len(space.list("Workload", "pawl.dev/role=server")) == 1


def test_killed_again_and_again_between_the_result_and_the_status(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    space.create("TrainingJob", "job", recipes.sklearn_job(uri))

    def completed() -> bool:
        pods = space.list("Pod", "pawl.dev/training-job=job")
        return any(pod["status"].get("phase") == "Succeeded" for pod in pods)

    eventually(completed, "the training pod to complete")
    for _ in range(3):
        space.cluster.kill_operator()
        eventually(space.cluster.has_operator, "another operator")
    name = space.trained("job")
    space.until("ModelVersion", name, lambda s: s.get("stage") == "Champion")
    assert [v["metadata"]["name"] for v in space.list("ModelVersion")] == ["cancer-v1"]


def test_the_data_path_goes_on_while_the_operator_is_down_and_children_come_back(space: Space):
    rows = recipes.cancer()
    uri = space.put("cancer.parquet", rows)
    space.create("TrainingJob", "job", recipes.sklearn_job(uri))
    space.create("Deployment", "cancer", {"model": "cancer", "replicas": 1})
    space.serving("cancer", space.trained("job"))
    body = columns_body({name: float(rows[name][0]) for name in recipes.FEATURES})
    with Load(space.url("cancer"), "cancer", body) as load:
        space.cluster.kill_operator()
        eventually(lambda: load.ok > 200, "requests without an operator")
    assert load.failed == []
    space.delete("Service", "cancer-v1")
    eventually(lambda: space.get("Service", "cancer-v1") is not None, "the Service to be back")
    space.serving("cancer", "cancer-v1")


def test_a_wiped_status_is_found_again(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    space.create("TrainingJob", "job", recipes.sklearn_job(uri))
    space.create("Deployment", "cancer", {"model": "cancer", "replicas": 1})
    name = space.trained("job")
    space.serving("cancer", name)
    for kind, which in (("TrainingJob", "job"), ("ModelVersion", name), ("Deployment", "cancer")):
        space.wipe_status(kind, which)
    space.serving("cancer", name)
    assert space.trained("job") == name
    space.until("ModelVersion", name, lambda s: s.get("stage") == "Champion")
    assert len(space.list("ModelVersion")) == 1
    assert len(space.list("Pod", "pawl.dev/training-job=job")) == 1
