"""What goes wrong reads well where the user looks."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import recipes
from harness import Space, condition, eventually


def data(uri: str, **changes: Any) -> dict[str, Any]:
    return {**recipes.sklearn_job(uri)["data"], **changes}


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        pytest.param(
            lambda uri: {"data": data("pvc://data/none.parquet")},
            "DataNotFound",
            ["none.parquet"],
            id="missing data",
        ),
        pytest.param(
            lambda uri: {"data": data(uri, features=["mean radius", "shoe size"])},
            "ColumnNotFound",
            ["shoe size"],
            id="wrong column",
        ),
        pytest.param(
            lambda uri: {"data": data(uri, checks=[{"column": "mean radius", "max": 20}])},
            "CheckFailed",
            ["mean radius", "20"],
            id="failed check",
        ),
        pytest.param(
            lambda uri: {"trainer": {"sklearn": {"estimator": "os.system"}}},
            "EstimatorNotAllowed",
            ["os.system"],
            id="estimator not allowed",
        ),
        pytest.param(
            lambda uri: {
                "trainer": {
                    "sklearn": {
                        "estimator": "sklearn.linear_model.LogisticRegression",
                        "parameters": {"penalti": "l2"},
                    }
                }
            },
            "InvalidParameter",
            ["penalti"],
            id="wrong parameter",
        ),
    ],
)
def test_an_error_in_the_input_is_told_and_not_tried_again(
    space: Space, change: Any, reason: str, words: list[str]
):
    uri = space.put("cancer.parquet", recipes.cancer())
    space.create("TrainingJob", "bad", {**recipes.sklearn_job(uri), **change(uri)})
    status = space.finished("bad")
    failed = condition(status, "Failed")
    assert status["phase"] == "Failed"
    assert failed["reason"] == reason, failed
    for word in words:
        assert word in failed["message"]
    assert words[0] in space.told("bad", "RunFailed")
    assert len(space.list("Pod", "pawl.dev/training-job=bad")) == 1


def test_an_image_that_is_not_there_is_said_while_it_waits(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    trainer = {"container": {"image": "nowhere/nothing:1", "command": ["train"]}}
    space.create("TrainingJob", "lost", recipes.sklearn_job(uri, trainer=trainer))
    status = space.until(
        "TrainingJob", "lost", lambda s: condition(s, "Ready").get("reason") == "ImagePullFailed"
    )
    assert "nowhere/nothing:1" in condition(status, "Ready")["message"]


def test_pods_that_are_refused_are_said(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    template = {"priorityClassName": "no-such-class"}
    space.create("TrainingJob", "refused", recipes.sklearn_job(uri, template=template))
    space.until(
        "TrainingJob", "refused", lambda s: condition(s, "Ready").get("reason") == "PodsRefused"
    )
    assert "no PriorityClass with name no-such-class" in space.told("refused", "RunBlocked")


def test_a_deadline_ends_the_run(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    trainer = {
        "container": {"image": "pawl/trainer:0.1.0", "command": ["python", "-c"],
                      "args": ["import time; time.sleep(600)"]}
    }  # fmt: skip
    spec = recipes.sklearn_job(uri, trainer=trainer, activeDeadlineSeconds=8)
    space.create("TrainingJob", "slow", spec)
    failed = condition(space.finished("slow"), "Failed")
    assert failed["reason"] == "DeadlineExceeded"
    assert "8" in failed["message"]


def test_out_of_memory_names_the_limit(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    eat = "x = [b'x' * 10**7 for _ in range(200)]; import time; time.sleep(60)"
    trainer = {
        "container": {"image": "pawl/trainer:0.1.0", "command": ["python", "-c"], "args": [eat]}
    }
    template = {"resources": {"limits": {"memory": "128Mi"}}}
    spec = recipes.sklearn_job(uri, trainer=trainer, template=template, backoffLimit=0)
    space.create("TrainingJob", "fat", spec)
    failed = condition(space.finished("fat"), "Failed")
    assert failed["reason"] == "OutOfMemory", failed
    assert "128Mi" in failed["message"]


def test_a_failed_gate_rejects_the_version_and_latest_does_not_serve_it(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    gates = {"gates": [{"metric": "roc_auc", "min": 0.9999}]}
    space.create("TrainingJob", "weak", recipes.sklearn_job(uri, evaluation=gates))
    space.create("Deployment", "cancer", {"model": "cancer"})
    status = space.finished("weak")
    assert condition(status, "Complete")["reason"] == "GateFailed"
    assert {gate["kind"]: gate["verdict"] for gate in status["gates"]}["min"] == "Fail"
    space.until("ModelVersion", "cancer-v1", lambda s: s.get("stage") == "Rejected")
    assert condition(space.status("Deployment", "cancer"), "Ready")["reason"] == "NoVersion"
    assert not space.list("Pod", "pawl.dev/role=server")


def test_why_a_server_has_no_model_is_read_from_the_deployment(space: Space):
    junk = b"these bytes have their digest and are no model"
    uri = space.cluster.store_file(f"imports/{space.name}/junk.onnx", junk)
    digest = "sha256:" + hashlib.sha256(junk).hexdigest()
    artifact = {"uri": uri, "digest": digest, "format": "onnx"}
    space.create("ModelVersion", "junk-v1", {"model": "junk", "version": 1, "artifact": artifact})
    space.create("Deployment", "junk", {"model": "junk", "replicas": 1})
    space.until(
        "Deployment",
        "junk",
        lambda s: "ModelNotLoadable: onnxruntime" in condition(s, "Ready").get("message", ""),
    )
    seen = space.cluster.kubectl("get", "mdep", "-n", space.name, "-o", "wide")
    assert "ModelNotLoadable: onnxruntime cannot load the model" in seen


def test_the_wrong_is_refused_at_apply(space: Space):
    spec = recipes.sklearn_job("pvc://data/x.parquet", evaluation={"metrics": ["rmse"]})
    with pytest.raises(Exception, match="task binary is judged by"):
        space.create("TrainingJob", "refused", spec)
    threshold = {"threshold": {"maximize": "recall"}}
    spec = recipes.sklearn_job("pvc://data/x.parquet", evaluation=threshold)
    with pytest.raises(Exception, match="recall and precision can be gates"):
        space.create("TrainingJob", "refused", spec)
    with pytest.raises(Exception, match="not both"):
        space.create(
            "Deployment", "refused", {"model": "m", "replicas": 1, "autoscaling": {"max": 2}}
        )


def test_deleting_a_trainingjob_in_the_middle_leaves_nothing_running(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    space.create("TrainingJob", "gone", recipes.sklearn_job(uri))
    eventually(lambda: bool(space.list("Pod", "pawl.dev/training-job=gone")), "a pod")
    space.delete("TrainingJob", "gone")
    eventually(lambda: not space.list("Pod", "pawl.dev/training-job=gone"), "no pod")
    eventually(lambda: not space.list("Job"), "no Job")
