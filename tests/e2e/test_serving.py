"""Deployments: suspended training, scaling, autoscaling, names that are taken, containers."""

from __future__ import annotations

import json
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import recipes
from clusters import EmbeddedCluster
from harness import Space, columns_body, condition, eventually, infer
from load import Load

from pawl.api import quantity

TRAIN = textwrap.dedent(
    """
    import json, os, pathlib
    import pyarrow.parquet as pq
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType
    from sklearn.linear_model import LogisticRegression

    data = pathlib.Path(os.environ["PAWL_DATA_DIR"])
    # Pods of the embedded cluster are plain processes and see the whole workspace.
    assert EMBEDDED or not (data.parent / "held-out").exists(), "the test rows are visible"
    assert "PAWL_STORE" not in os.environ
    schema = json.loads((data / "schema.json").read_text())
    names = [feature["name"] for feature in schema["features"]]
    frame = pq.read_table(data / "train.parquet").to_pandas()
    parameters = json.loads(pathlib.Path(os.environ["PAWL_PARAMETERS"]).read_text())
    x = frame[names].to_numpy()
    model = LogisticRegression(max_iter=2000, **parameters).fit(x, frame[schema["target"]])
    graph = convert_sklearn(
        model,
        initial_types=[("numeric", DoubleTensorType([None, len(names)]))],
        options={"zipmap": False},
    )
    out = pathlib.Path(os.environ["PAWL_OUTPUT_DIR"]) / "model.onnx"
    out.write_bytes(graph.SerializeToString())
    """
)


def test_a_container_of_ones_own_trains_by_the_file_contract(space: Space):
    rows = recipes.cancer()
    uri = space.put("cancer.parquet", rows)
    embedded = isinstance(space.cluster, EmbeddedCluster)
    trainer = {
        "container": {
            "image": "pawl/trainer:0.1.0",
            "command": ["python", "-c"],
            "args": [f"EMBEDDED = {embedded}\n{TRAIN}"],
            "parameters": {"C": 0.5},
        }
    }
    space.create("TrainingJob", "own", recipes.sklearn_job(uri, trainer=trainer))
    space.create("Deployment", "cancer", {"model": "cancer"})
    space.serving("cancer", space.trained("own"))
    body = columns_body({name: float(rows[name][0]) for name in recipes.FEATURES})
    answer = infer(space.url("cancer"), "cancer", body)
    assert answer.json()["outputs"][0]["data"] == ["malignant"], answer.text


def test_a_suspended_run_has_no_pod_until_it_is_resumed(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    space.create("TrainingJob", "job", recipes.sklearn_job(uri, suspend=True))
    space.until("TrainingJob", "job", lambda s: condition(s, "Suspended")["status"] == "True")
    assert not space.list("Pod", "pawl.dev/training-job=job")
    space.patch("TrainingJob", "job", {"suspend": False})
    assert space.trained("job") == "cancer-v1"


def test_it_scales_by_hand_and_back(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    space.create("TrainingJob", "job", recipes.sklearn_job(uri))
    space.create("Deployment", "cancer", {"model": "cancer", "replicas": 1})
    space.serving("cancer", space.trained("job"))
    space.patch("Deployment", "cancer", {"replicas": 3})
    space.until("Deployment", "cancer", lambda s: s.get("readyReplicas") == 3)
    space.patch("Deployment", "cancer", {"replicas": 1})
    space.until("Deployment", "cancer", lambda s: s.get("readyReplicas") == 1)


@contextmanager
def scaled_out(space: Space, **target: int) -> Iterator[None]:
    """Under load, once a second pod is there; no request of it fails."""
    rows = recipes.cancer()
    uri = space.put("cancer.parquet", rows)
    space.create("TrainingJob", "job", recipes.sklearn_job(uri))
    spec = {
        "model": "cancer",
        "autoscaling": {"min": 1, "max": 2, **target},
        "server": {"resources": {"requests": {"cpu": "50m"}}},
        "routing": {"replicas": 1},
    }
    space.create("Deployment", "cancer", spec)
    space.serving("cancer", space.trained("job"))
    body = columns_body({name: float(rows[name][0]) for name in recipes.FEATURES})
    with Load(space.url("cancer"), "cancer", body) as load:
        space.until("Deployment", "cancer", lambda s: s.get("readyReplicas") == 2)
        yield
    assert load.failed == []


def test_an_autoscaler_adds_pods_under_load(space: Space, cpu_metrics: None):
    with scaled_out(space, targetCPUPercent=20):
        pass


def test_an_autoscaler_adds_pods_for_the_requests_that_come(space: Space):
    if "custom.metrics.k8s.io/" not in space.cluster.kubectl("api-versions"):
        pytest.skip("needs a custom-metrics API, which this cluster has not")
    with scaled_out(space, targetRequestsPerSecond=4):
        metrics = f"/apis/custom.metrics.k8s.io/v1beta2/namespaces/{space.name}/pods/*"
        told = space.cluster.kubectl("get", "--raw", f"{metrics}/pawl_server_requests_per_second")
    values = [quantity.parse(item["value"]) for item in json.loads(told)["items"]]
    assert max(values) > 4


def test_scaling_by_requests_is_refused_without_a_custom_metrics_api(space: Space):
    if "custom.metrics.k8s.io/" in space.cluster.kubectl("api-versions"):
        pytest.skip("this cluster has a custom-metrics API")
    scaling = {"min": 1, "max": 2, "targetRequestsPerSecond": 50}
    space.create("Deployment", "cancer", {"model": "cancer", "autoscaling": scaling})
    status = space.until("Deployment", "cancer", lambda s: bool(s.get("conditions")))
    assert condition(status, "Stalled")["reason"] == "NoCustomMetrics"


def test_a_service_of_somebody_else_is_left_alone(space: Space):
    port = {"port": 80, "protocol": "TCP", "targetPort": 80}
    space.create("Service", "cancer", {"ports": [port]}, api_version="v1")
    space.create("Deployment", "cancer", {"model": "cancer"})
    status = space.until(
        "Deployment", "cancer", lambda s: condition(s, "Stalled").get("reason") == "NameTaken"
    )
    assert "rename" in condition(status, "Stalled")["message"]
    space.delete("Service", "cancer")


def test_what_somebody_else_calls_like_a_run_is_left_alone(space: Space):
    kubectl, uri = space.cluster.kubectl, space.put("cancer.parquet", recipes.cancer())
    kubectl("create", "job", "job-r1", "-n", space.name, "--image=pawl/nothing:1")
    space.create("TrainingJob", "job", recipes.sklearn_job(uri))
    space.told("job", "NameTaken: Job job-r1 exists already")
    kubectl("delete", "job", "job-r1", "-n", space.name)
    space.trained("job")


def test_many_small_and_wrong_requests_at_once_leave_the_server_well(space: Space):
    rows = recipes.cancer()
    uri = space.put("cancer.parquet", rows)
    space.create("TrainingJob", "job", recipes.sklearn_job(uri))
    space.create("Deployment", "cancer", {"model": "cancer"})
    space.serving("cancer", space.trained("job"))
    url = space.url("cancer")
    good = columns_body({name: float(rows[name][0]) for name in recipes.FEATURES})
    bad = columns_body({"mean radius": "large"})
    codes: list[int] = []

    def attack() -> None:
        codes.extend(infer(url, "cancer", bad).status_code for _ in range(50))

    threads = [threading.Thread(target=attack) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) == {400}
    eventually(lambda: infer(url, "cancer", good).status_code == 200, "a good answer")
