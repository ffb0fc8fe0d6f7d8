"""The objects of several workers: who they are told to be, and where they meet."""

from __future__ import annotations

from typing import Any

import pytest
from world import INSTALLATION, training_job

from pawl.api.crds import all_crds
from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.runs import TrialTask
from pawl.core.manifests import training, workers
from pawl.core.recipe import recipe_digest
from pawl.local.schema.structural import Structural

CONTAINER = {"container": {"image": "me/train:1", "env": [{"name": "MASTER_PORT", "value": "1"}]}}


def job(count: int = 3, name: str = "churn-nov") -> dict[str, Any]:
    owner = training_job(name, trainer=CONTAINER, workers=count)
    spec = TrainingJobSpec.model_validate(owner["spec"])
    return training.build_job(owner, spec, 1, {"pawl.dev/role": "trainer"}, INSTALLATION)


def train(built: dict[str, Any]) -> dict[str, Any]:
    found = built["spec"]["template"]["spec"]["initContainers"]
    return {variable["name"]: variable for variable in found[1]["env"]}  # the last one counts


def test_each_is_told_where_worker_0_is():
    env = train(job())
    for name in ("MASTER_ADDR", "PET_MASTER_ADDR", "DMLC_TRACKER_URI"):
        assert env[name]["value"] == "churn-nov-r1-0.churn-nov-workers"
    assert env["JAX_COORDINATOR_ADDRESS"]["value"] == "churn-nov-r1-0.churn-nov-workers:29500"
    assert {env[n]["value"] for n in ("WORLD_SIZE", "PET_NNODES", "DMLC_NUM_WORKER")} == {"3"}
    ranks = [env[n]["valueFrom"] for n in ("RANK", "PET_NODE_RANK", "JAX_PROCESS_ID")]
    assert all("job-completion-index" in rank["fieldRef"]["fieldPath"] for rank in ranks)


def test_a_trial_s_workers_meet_at_its_own_worker_0():
    owner = training_job(trainer=CONTAINER, workers=2)
    spec = TrainingJobSpec.model_validate(owner["spec"])
    task = TrialTask(number=4, search_run=1, parameters={})
    built = training.build_job(owner, spec, 1, {}, INSTALLATION, task)
    assert train(built)["MASTER_ADDR"]["value"] == "churn-nov-r1-t4-0.churn-nov-workers"
    assert built["spec"]["completions"] == 2


def test_what_the_user_sets_comes_first():
    assert train(job())["MASTER_PORT"]["value"] == "1"


def test_the_job_is_indexed_and_fails_with_the_first_worker():
    spec = job()["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
    assert spec["backoffLimit"] == 0
    assert spec["podFailurePolicy"]["rules"][0]["action"] == "FailJob"


def test_one_worker_is_a_job_as_ever():
    built = job(1)
    assert "completionMode" not in built["spec"]
    assert "subdomain" not in built["spec"]["template"]["spec"]
    assert "MASTER_ADDR" not in train(built)


def test_the_service_names_pods_that_are_not_ready_and_only_this_jobs():
    service = workers.build_service(training_job())
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["selector"]["pawl.dev/training-job"] == "churn-nov"
    pod = job()["spec"]["template"]["spec"]
    assert pod["subdomain"] == service["metadata"]["name"]


def test_host_names_are_labels_also_of_long_names():
    name = training.run_name("a" * 63, 1000, "a100")
    assert len(f"{name}-63") <= 63
    assert len(workers.service_name("a" * 63)) <= 63


@pytest.fixture(scope="module")
def schema() -> Structural:
    crd = next(crd for crd in all_crds() if crd["spec"]["names"]["kind"] == "TrainingJob")
    return Structural(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"workers": 2}, "scikit-learn trains in one pod", id="scikit-learn"),
        pytest.param({"workers": 0, "trainer": CONTAINER}, "greater than or equal to 1", id="none"),
        pytest.param({"workers": 65, "trainer": CONTAINER}, "less than or equal to 64", id="many"),
        pytest.param({"workers": 64, "trainer": CONTAINER}, "", id="as many as may be"),
        pytest.param({"workers": 1}, "", id="one"),
    ],
)
def test_how_many_there_may_be(schema: Structural, change: dict[str, Any], words: str):
    item = training_job(**change)
    schema.default(item)
    found = "; ".join(str(cause) for cause in schema.validate(item))
    assert words in found
    assert bool(found) is bool(words), found


def test_their_number_is_part_of_the_recipe():
    one, two = (
        TrainingJobSpec.model_validate(training_job(trainer=CONTAINER, workers=n)["spec"])
        for n in (1, 2)
    )
    assert recipe_digest(one) != recipe_digest(two)
