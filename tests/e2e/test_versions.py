"""ModelVersions: approval, import, recipes that are recorded, engines."""

from __future__ import annotations

import hashlib

import numpy as np
import recipes
from harness import Space, columns_body, condition, eventually, infer
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from trial import pawl


def test_a_version_that_needs_approval_waits_for_it(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    space.create("TrainingJob", "job", recipes.sklearn_job(uri, approval="Required"))
    space.create("Deployment", "cancer", {"model": "cancer"})
    name = space.trained("job")
    space.until(
        "ModelVersion", name, lambda s: condition(s, "ArtifactVerified")["status"] == "True"
    )
    assert condition(space.status("ModelVersion", name), "Approved")["status"] == "Unknown"
    assert condition(space.status("Deployment", "cancer"), "Ready")["reason"] == "NoVersion"
    pawl(space.cluster, "approve", f"mv/{name}", "-n", space.name, "-m", "reviewed")
    space.serving("cancer", name)
    decided = space.status("ModelVersion", name)["approval"]
    assert (decided["by"], decided["reason"]) == ("pawl-cli", "reviewed")
    assert "approve cancer-v1 by pawl-cli: reviewed" in space.told(name, "Requested")


def test_an_onnx_file_can_be_imported_and_a_wrong_digest_is_refused(space: Space):
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    model = to_onnx(
        LogisticRegression().fit(x, x[:, 0] > 0), x[:1], options={"zipmap": False}
    ).SerializeToString()
    digest = "sha256:" + hashlib.sha256(model).hexdigest()
    uri = space.cluster.store_file(f"imports/{space.name}/model.onnx", model)
    artifact = {"uri": uri, "digest": digest, "format": "onnx"}
    space.create("ModelVersion", "mine-v1", {"model": "mine", "version": 1, "artifact": artifact})
    space.create("Deployment", "mine", {"model": "mine"})
    space.serving("mine", "mine-v1")
    rows = {"name": "X", "datatype": "FP32", "shape": [1, 3], "data": [2.0, 0.0, 0.0]}
    answer = infer(space.url("mine"), "mine", {"inputs": [rows]})
    assert answer.status_code == 200, answer.text
    wrong = {**artifact, "digest": "sha256:" + "0" * 64}
    space.create("ModelVersion", "mine-v2", {"model": "mine", "version": 2, "artifact": wrong})
    status = space.until("ModelVersion", "mine-v2", lambda s: s.get("stage") == "Rejected")
    assert condition(status, "ArtifactVerified")["reason"] == "DigestMismatch"
    assert space.status("Deployment", "mine")["stable"]["name"] == "mine-v1"
    space.create("ModelVersion", "mine-v3", {"model": "mine", "version": 3, "artifact": artifact})
    space.serving("mine", "mine-v3")
    assert space.status("ModelVersion", "mine-v2")["stage"] == "Rejected"
    assert "sha256" in space.told("mine-v2", "Rejected")
    assert len(space.events("mine-v2")) == 1  # judged once


def test_a_recreated_recipe_gets_its_old_version_back(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    space.create("TrainingJob", "job", recipes.sklearn_job(uri))
    name = space.trained("job")
    space.delete("TrainingJob", "job")
    eventually(lambda: not space.list("Job"), "the Job to be gone")
    space.create("TrainingJob", "job", recipes.sklearn_job(uri))
    assert space.trained("job") == name
    assert len(space.list("ModelVersion")) == 1
    space.patch("TrainingJob", "job", {"seed": 5})
    space.until("TrainingJob", "job", lambda s: s.get("modelVersion") == "cancer-v2")


def test_a_model_that_onnx_cannot_hold_is_served_by_scikit_learn(space: Space):
    rows = recipes.cancer()
    uri = space.put("cancer.parquet", rows)
    job = recipes.sklearn_job(uri, "sklearn.semi_supervised.LabelSpreading")
    space.create("TrainingJob", "job", job)
    space.create("Deployment", "cancer", {"model": "cancer"})
    name = space.trained("job")
    version = space.get("ModelVersion", name)
    assert version is not None
    assert version["spec"]["artifact"]["format"] == "skops"
    assert any("ONNX" in text for text in space.status("TrainingJob", "job")["warnings"])
    space.serving("cancer", name)
    body = columns_body({n: float(rows[n][0]) for n in recipes.FEATURES})
    assert infer(space.url("cancer"), "cancer", body).status_code == 200


def test_a_retrain_whose_data_have_not_changed_trains_nothing(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    space.create("TrainingJob", "first", recipes.sklearn_job(uri))
    space.trained("first")
    digest = space.status("TrainingJob", "first")["dataDigest"]
    cause = {"deployment": "cancer", "reason": "Drifted", "dataDigest": digest}
    space.create("TrainingJob", "again", recipes.sklearn_job(uri, seed=9, cause=cause))
    status = space.until("TrainingJob", "again", lambda s: bool(s.get("completionTime")))
    assert status["phase"] == "NoNewData"
    assert condition(status, "Complete")["reason"] == "NoNewData"
    said = f"the data have not changed since {digest[:19]} was trained on; nothing was trained"
    assert space.told("again", "NoNewData") == f"NoNewData: {said}"
    space.cluster.kill_operator()
    eventually(space.cluster.has_operator, "another operator")
    shown = space.cluster.kubectl("get", "tj", "again", "-n", space.name, "-o", "wide")
    assert "NoNewData" in shown
    assert said in shown
    assert len(space.list("ModelVersion")) == 1
    (job,) = space.list("Job", "pawl.dev/training-job=again")
    (pod,) = space.list("Pod", "pawl.dev/training-job=again")
    ran = [s["name"] for s in pod["status"]["initContainerStatuses"] if "terminated" in s["state"]]
    assert ran == ["prepare"]
    assert condition(job["status"], "Failed")["reason"] == "PodFailurePolicy"
