"""TrainingJob: runs, failures, and one ModelVersion a run whatever dies when."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_world import version
from world import (
    DIGEST,
    INSTALLATION,
    ConflictError,
    OperatorDiedError,
    World,
    failed_pod,
    run_json,
    run_result,
    training_job,
)

from pawl.api.modelversion import ModelVersion
from pawl.artifacts.records import OldWindow, Window
from pawl.artifacts.runs import Code, GateResult, NoNewData, StoreRef, Termination
from pawl.core.plan import Create
from pawl.core.trainingjob import plan_training_job

NAME = "churn-nov"


def world(**spec: object) -> World:
    made = World()
    made.add(training_job(**spec))
    return made


def condition(w: World, type_: str) -> dict[str, str]:
    conditions = w.status("TrainingJob", NAME)["conditions"]
    return next((c for c in conditions if c["type"] == type_), {"status": "absent"})


def test_applying_one_starts_run_1():
    w = world()
    w.settle()
    assert [job["metadata"]["name"] for job in w.of("Job")] == ["churn-nov-r1"]
    assert condition(w, "Ready")["status"] == "True"
    assert condition(w, "Reconciling")["status"] == "False"
    assert w.status("TrainingJob", NAME)["observedGeneration"] == 1


def test_the_job_of_a_run_changes_nothing_in_the_status_until_its_pod_tells_something():
    w = world()
    w.reconcile_job()
    status = w.status("TrainingJob", NAME)
    assert w.reconcile_job().status == status


def test_a_result_becomes_version_1():
    w = world()
    w.settle()
    w.finish_job()
    w.settle()
    status = w.status("TrainingJob", NAME)
    assert status["modelVersion"] == "churn-v1"
    assert status["phase"] == "Succeeded"
    assert status["score"] == "roc_auc=0.9"
    assert condition(w, "Complete")["status"] == "True"
    version = w.objects[("ModelVersion", "churn-v1")]
    assert "ownerReferences" not in version["metadata"]
    assert version["spec"]["lineage"]["trainingJob"] == {"name": NAME, "uid": "uid-1", "run": 1}


@pytest.mark.parametrize("champion", ["churn-v7", None])
def test_the_parent_is_what_the_run_was_compared_with(champion: str | None):
    w = world()
    w.settle()
    beside = StoreRef(name=champion, uri="file:///store/b", digest=DIGEST) if champion else None
    w.finish_job(run_result(champion=beside))
    w.settle()
    (version,) = w.of("ModelVersion")
    assert version["spec"]["lineage"].get("parent") == champion


def test_planning_twice_changes_nothing():
    w = world()
    w.settle()
    w.finish_job()
    w.settle()
    events = len(w.events)
    w.reconcile_job()
    assert len(w.events) == events


def test_a_changed_recipe_supersedes_the_running_run():
    w = world()
    w.settle()
    item = w.objects[("TrainingJob", NAME)]
    w.add({**item, "spec": {**item["spec"], "seed": 7}})
    w.settle()
    assert [job["metadata"]["name"] for job in w.of("Job")] == ["churn-nov-r2"]
    status = w.status("TrainingJob", NAME)
    assert status["run"]["number"] == 2
    assert status["runs"][0]["phase"] == "Superseded"
    assert [event.reason for event in w.events] == ["RunStarted", "RunSuperseded", "RunStarted"]


def running_pod(stage: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "creationTimestamp": "2026-11-21T12:00:00Z"},
        "status": {"containerStatuses": [{"name": stage, "state": {"running": {}}}]},
    }


def test_a_stage_is_told_once_also_when_a_later_attempt_begins_anew():
    w = world()
    w.settle()
    for stage in ("prepare", "train", "prepare", "publish"):
        w.pods = [running_pod(stage)]
        w.settle()
    told = [event.message for event in w.events if event.reason == "StageStarted"]
    assert told == ["run 1: prepare", "run 1: train", "run 1: publish"]


@pytest.mark.parametrize(
    ("percent", "progress"), [(None, 30), (0, 30), (50, 52), (100, 74)], ids=str
)
def test_train_s_own_progress_is_a_part_of_the_run_s(percent: float | None, progress: int):
    w = world()
    w.settle()
    w.pods = [running_pod("train")]
    observed = replace(w.observe_job(NAME), percent=percent)
    plan = plan_training_job(observed, INSTALLATION, w.clock)
    assert plan.status is not None
    assert plan.status["progress"] == progress
    assert [event.message for event in plan.events] == ["run 1: train"]


def test_progress_within_a_stage_is_no_event_and_never_goes_back():
    w = world()
    w.settle()
    w.pods = [running_pod("train")]
    told = []
    for percent in (20.0, 60.0, 40.0):
        observed = replace(w.observe_job(NAME), percent=percent)
        plan = plan_training_job(observed, INSTALLATION, w.clock)
        w.carry_out(observed.object, plan)
        told.append((w.status("TrainingJob", NAME)["progress"], len(plan.events)))
    assert told == [(39, 1), (57, 0), (57, 0)]


def test_what_keeps_a_pod_from_starting_is_told_once():
    w = world()
    w.settle()
    unscheduled = {"type": "PodScheduled", "status": "False", "message": "no node has 4 cpus"}
    w.pods = [{"metadata": {"name": "p"}, "status": {"conditions": [unscheduled]}}]
    w.settle()
    w.reconcile_job()
    (told,) = (event.message for event in w.events if event.reason == "RunBlocked")
    assert told == "Unschedulable: no node has 4 cpus"


def test_suspending_and_resuming_are_told():
    w = world()
    w.settle()
    for suspend in (True, False):
        item = w.objects[("TrainingJob", NAME)]
        w.add({**item, "spec": {**item["spec"], "suspend": suspend}})
        w.settle()
        w.reconcile_job()
    assert [event.reason for event in w.events] == ["RunStarted", "Suspended", "Resumed"]


def test_a_spec_that_cannot_be_read_is_told_once():
    w = world()
    item = w.objects[("TrainingJob", NAME)]
    w.add({**item, "spec": {**item["spec"], "data": {"task": "astrology"}}})
    w.reconcile_job()
    w.reconcile_job()
    (told,) = w.events
    assert (told.reason, told.type) == ("InvalidSpec", "Warning")
    assert told.message == condition(w, "Stalled")["message"]


@pytest.mark.parametrize(
    ("change", "job"),
    [
        pytest.param({"suspend": True}, {"suspend": True}, id="suspend"),
        pytest.param({"backoffLimit": 5}, {"backoffLimit": 5}, id="backoffLimit"),
        pytest.param({"activeDeadlineSeconds": 60}, {"activeDeadlineSeconds": 60}, id="deadline"),
    ],
)
def test_what_is_no_recipe_changes_in_place(change: dict[str, object], job: dict[str, object]):
    w = world()
    w.settle()
    item = w.objects[("TrainingJob", NAME)]
    w.add({**item, "spec": {**item["spec"], **change}})
    w.settle()
    assert len(w.of("Job")) == 1
    assert job.items() <= w.of("Job")[0]["spec"].items()


CODE = {
    "pawl.dev/code-repo": "https://me:hunter2@git.acme.org/churn.git",
    "pawl.dev/code-revision": "3f2c1d0",
}


def annotated(w: World, annotations: dict[str, str]) -> World:
    item = w.objects[("TrainingJob", NAME)]
    w.add({**item, "metadata": {**item["metadata"], "annotations": annotations}})
    return w


def told_code(w: World) -> Any:
    (job,) = w.of("Job")
    return run_json(job)["code"]


def test_the_source_is_taken_from_annotations_without_credentials():
    w = annotated(world(), CODE)
    w.settle()
    code = {"repo": "https://***@git.acme.org/churn.git", "revision": "3f2c1d0"}
    assert told_code(w) == code
    w.finish_job(run_result(code=Code(**code)))
    w.settle()
    assert w.objects[("ModelVersion", "churn-v1")]["spec"]["lineage"]["code"] == code


@pytest.mark.parametrize("name", CODE)
def test_half_a_source_is_none(name: str):
    w = annotated(world(), {name: CODE[name]})
    w.settle()
    assert told_code(w) is None
    w.finish_job()
    w.settle()
    assert "code" not in w.objects[("ModelVersion", "churn-v1")]["spec"]["lineage"]


def test_another_revision_starts_no_run_and_leaves_the_running_one_as_it_is():
    w = annotated(world(), CODE)
    w.settle()
    annotated(w, {**CODE, "pawl.dev/code-revision": "9e8d7c6"})
    w.settle()
    assert w.status("TrainingJob", NAME)["run"]["number"] == 1
    assert len(w.of("Job")) == 1
    assert told_code(w)["revision"] == "3f2c1d0"


def test_spelling_a_default_out_starts_no_run():
    w = world()
    w.settle()
    item = w.objects[("TrainingJob", NAME)]
    data = {**item["spec"]["data"], "format": "auto", "split": {"test": 0.2}}
    w.add({**item, "spec": {**item["spec"], "seed": 0, "data": data}})
    w.settle()
    assert w.status("TrainingJob", NAME)["run"]["number"] == 1


@pytest.mark.parametrize(
    ("pod", "reason", "words"),
    [
        pytest.param(
            failed_pod(
                "prepare", 10,
                Termination(stage="prepare", reason="CheckFailed", message="3 rows of monthly")
                .model_dump_json(),
            ),
            "CheckFailed", "3 rows of monthly", id="a check fails",
        ),
        pytest.param(
            failed_pod("train", 137, reason="OOMKilled"),
            "OutOfMemory", "512Mi", id="out of memory",
        ),
        pytest.param(failed_pod("publish", 11), "StoreUnreachable", "store", id="no store"),
        pytest.param(
            failed_pod("train", 3, "Traceback: boom"), "StageFailed", "boom", id="a crash"
        ),
    ],
)  # fmt: skip
def test_a_failure_is_told_in_the_words_of_its_stage(
    pod: dict[str, object], reason: str, words: str
):
    w = world()
    w.settle()
    w.pods = [pod]
    w.fail_job()
    w.settle()
    failed = condition(w, "Failed")
    assert failed["status"] == "True"
    assert failed["reason"] == reason
    assert words in failed["message"]
    assert any(event.reason == "RunFailed" and words in event.message for event in w.events)


def test_a_deadline_is_told():
    w = world(activeDeadlineSeconds=60)
    w.settle()
    w.fail_job("DeadlineExceeded")
    w.settle()
    assert "60" in condition(w, "Failed")["message"]


def test_a_failed_gate_completes_the_run_and_says_which():
    w = world()
    w.settle()
    gate = GateResult(
        metric="roc_auc", kind="min", required=True, limit=0.95, value=0.9, n=100,
        verdict="Fail", message="0.9 is below 0.95",
    )  # fmt: skip
    w.finish_job(run_result(gates=(gate,)))
    w.settle()
    assert condition(w, "Complete")["reason"] == "GateFailed"
    assert "0.9 is below 0.95" in condition(w, "Complete")["message"]
    w.verify_all()
    assert w.status("ModelVersion", "churn-v1")["stage"] == "Rejected"


def test_a_recorded_recipe_gives_its_old_version_back():
    w = world()
    w.settle()
    w.finish_job()
    w.settle()
    w.verify_all()
    for kind, name in (("TrainingJob", NAME), ("Job", f"{NAME}-r1")):
        del w.objects[(kind, name)]  # the garbage collector takes the children
    w.add(training_job(uid="uid-2"))
    w.settle()
    (job,) = w.of("Job")
    assert run_json(job)["champion"]["name"] == "churn-v1"
    recorded = run_result("uid-2").model_copy(
        update={
            "outcome": "Recorded",
            "artifact": run_result().artifact.model_copy(update={"name": "churn-v1"}),
        }
    )
    w.finish_job(recorded)
    w.settle()
    assert w.status("TrainingJob", NAME)["modelVersion"] == "churn-v1"
    assert len(w.of("ModelVersion")) == 1


CAUSE = {"deployment": "churn", "reason": "Drifted", "dataDigest": DIGEST}
NOTHING = NoNewData(uid="uid-1", run=1, data_digest=DIGEST)


def without_new_data() -> World:
    """The pod found the data unchanged: its result is in the store, its Job failed, it is gone."""
    w = world(cause=CAUSE)
    w.settle()
    w.results["uid-1-1"] = NOTHING
    w.fail_job("PodFailurePolicy")
    return w


def test_a_retrain_is_told_what_is_worth_one_and_when_it_began():
    w = world(cause=CAUSE)
    w.settle()
    (job,) = w.of("Job")
    told = run_json(job)
    assert told["spec"]["cause"]["dataDigest"] == DIGEST
    assert told["startedAt"] == w.status("TrainingJob", NAME)["startTime"]


def test_a_retrain_s_version_says_how_rows_were_cut_and_the_next_run_is_told():
    w = world(cause=CAUSE | {"minLabelled": 100})
    w.settle()
    window = Window(
        embargo="2026-11-01T00:00:00Z", start="2026-11-02T00:00:00Z", end="2026-11-03T00:00:00.5Z"
    )
    result = run_result()
    data = result.lineage.data.model_copy(update={"newest": window.end, "window": window})
    old = OldWindow(rows=40, values={"roc_auc": 0.8}, champion={"roc_auc": 0.7})
    lineage = result.lineage.model_copy(
        update={"data": data, "recipe_digest": w.status("TrainingJob", NAME)["run"]["recipeDigest"]}
    )
    w.finish_job(result.model_copy(update={"lineage": lineage, "old_window": old}))
    w.settle()
    (made,) = w.of("ModelVersion")
    spec = ModelVersion.model_validate(made).spec
    assert spec.lineage is not None
    assert spec.lineage.data is not None
    assert spec.lineage.data.newest == window.end
    assert spec.old_window is not None
    assert spec.old_window.champion == {"roc_auc": 0.7}
    again = copy.deepcopy(w.objects[("TrainingJob", NAME)])
    again["metadata"] |= {"name": "again", "uid": "uid-2"}
    del again["status"]
    w.objects[("TrainingJob", "again")] = again
    plan = plan_training_job(w.observe_job("again"), INSTALLATION, w.clock)
    (job,) = (a.object for a in plan.actions if isinstance(a, Create))
    (known,) = run_json(job)["known"]
    assert Window.model_validate(known["window"]) == window


def test_of_the_versions_of_its_recipe_the_newest_are_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pawl.core.run_config._MOST_KNOWN", 2)
    w = world()
    w.settle()
    recipe = w.status("TrainingJob", NAME)["run"]["recipeDigest"]
    for number, digest in enumerate([recipe] * 3 + ["sha256:" + "e" * 64] * 3, 1):
        data = {"uri": "s3://d", "digest": DIGEST}
        made = version(number, lineage={"recipeDigest": digest, "data": data})
        made["status"]["observedGeneration"] = 1
        w.add(made)
    again = copy.deepcopy(w.objects[("TrainingJob", NAME)])
    again["metadata"] |= {"name": "again", "uid": "uid-2"}
    del again["status"]
    w.objects[("TrainingJob", "again")] = again
    plan = plan_training_job(w.observe_job("again"), INSTALLATION, w.clock)
    (job,) = (a.object for a in plan.actions if isinstance(a, Create))
    told = [known["version"]["name"] for known in run_json(job)["known"]]
    assert told == ["churn-v2", "churn-v3"]


def test_a_run_without_new_data_ends_well_and_makes_no_version():
    w = without_new_data()
    w.settle()
    status = w.status("TrainingJob", NAME)
    assert (status["phase"], status["run"]["phase"]) == ("NoNewData", "NoNewData")
    assert status["dataDigest"] == DIGEST
    states = {t: condition(w, t)["status"] for t in ("Ready", "Complete", "Failed")}
    assert states == {"Ready": "True", "Complete": "True", "Failed": "False"}
    said = "the data have not changed since sha256:abababababab was trained on"
    assert said in condition(w, "Ready")["message"]
    assert [e.type for e in w.events if e.reason == "NoNewData"] == ["Normal"]
    assert not any(event.type == "Warning" for event in w.events)
    assert w.versions_made == 0
    assert len(w.of("Job")) == 1


def test_a_run_without_new_data_stays_ended_when_its_job_goes():
    w = without_new_data()
    w.settle()
    del w.objects[("Job", f"{NAME}-r1")]
    w.settle()
    assert w.status("TrainingJob", NAME)["phase"] == "NoNewData"
    assert condition(w, "Ready")["reason"] == "NoNewData"
    assert w.of("Job") == ()


@given(st.lists(st.integers(0, 4), max_size=8), st.booleans())
def test_an_operator_that_dies_anywhere_tells_no_new_data_all_the_same(
    deaths: list[int], wiped: bool
):
    w = without_new_data()
    for writes in deaths:
        survive(w, writes)
    if wiped:
        w.objects[("TrainingJob", NAME)].pop("status", None)
    w.settle()
    assert w.status("TrainingJob", NAME)["phase"] == "NoNewData"
    assert w.versions_made == 0


def test_a_failed_job_waits_for_a_store_that_may_say_why():
    w = without_new_data()
    observed = replace(w.observe_job(NAME), result=None, store_error="timed out")
    plan = plan_training_job(observed, INSTALLATION, w.clock)
    assert plan.status is not None
    assert plan.status["run"]["phase"] == "Pending"
    (ready,) = (c for c in plan.status["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "StoreUnreachable")
    assert plan.requeue_after == 10


def test_numbers_are_not_used_again_after_a_deletion():
    w = world()
    w.settle()
    w.finish_job()
    w.settle()
    del w.objects[("ModelVersion", "churn-v1")]
    w.add(training_job(name="other", uid="uid-9", seed=3))
    w.settle("other")
    w.finish_job(run_result("uid-9"), name="other")
    w.settle("other")
    assert w.status("TrainingJob", "other")["modelVersion"] == "churn-v2"


def test_a_hand_written_version_with_the_reserved_number_is_stepped_over():
    w = world()
    w.settle()
    w.finish_job()
    w.reconcile_job()  # reserves 1
    imported = {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {"name": "churn-v1", "namespace": "ml", "generation": 1},
        "spec": {
            "model": "churn",
            "version": 1,
            "artifact": {"uri": "s3://models/x.onnx", "digest": "sha256:" + "0" * 64},
        },
    }
    w.add(imported)
    w.settle()
    assert w.status("TrainingJob", NAME)["modelVersion"] == "churn-v2"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=10), st.lists(st.integers(0, 4), max_size=14))
def test_an_operator_that_dies_anywhere_makes_one_version(before: list[int], after: list[int]):
    """`before` and `after` the pod's completion, the operator dies after that many writes."""
    w = world()
    for writes in before:
        survive(w, writes)
    w.settle()
    w.finish_job()
    for writes in after:
        survive(w, writes)
    w.settle()
    assert w.versions_made == 1
    assert [v["metadata"]["name"] for v in w.of("ModelVersion")] == ["churn-v1"]
    assert w.status("TrainingJob", NAME)["modelVersion"] == "churn-v1"
    assert len(w.of("Job")) == 1


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 6))
def test_a_wiped_status_leads_to_the_same_end(when: int):
    w = world()
    for step in range(9):
        if step == 3:
            w.finish_job()
        if step == when:
            w.objects[("TrainingJob", NAME)].pop("status", None)
        w.reconcile_job()
    w.settle()
    assert len(w.of("ModelVersion")) == 1
    assert w.status("TrainingJob", NAME)["phase"] == "Succeeded"


def test_a_run_waits_until_it_is_known_what_to_compare_with():
    """A Deployment whose status was lost has not told yet what it serves."""
    w = world()
    deployment = {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "ml"},
        "spec": {"model": "churn"},
    }
    w.add(deployment)
    w.reconcile_job()
    assert w.of("Job") == ()
    w.add({**deployment, "status": {"observedGeneration": 1}})
    w.settle()
    w.finish_job()
    w.add(deployment)  # what it was compared with is in the result
    w.settle()
    assert len(w.of("ModelVersion")) == 1


def survive(w: World, writes: int) -> None:
    try:
        w.reconcile_job(die_after=writes)
    except (OperatorDiedError, ConflictError):
        return


def test_a_run_that_is_over_before_it_could_be_written_down_gives_its_version():
    """The operator made the Job of a second run and was gone until that had ended: what it sees
    first is a status of the run before."""
    w = world()
    w.settle()
    w.finish_job()
    w.settle()
    item = w.objects[("TrainingJob", NAME)]
    w.add({**item, "spec": {**item["spec"], "seed": 7}})
    survive(w, 2)
    w.finish_job()
    assert w.status("TrainingJob", NAME)["run"]["number"] == 1
    w.settle()
    run = w.status("TrainingJob", NAME)["run"]
    assert (run["number"], run["phase"], run["modelVersion"]) == (2, "Succeeded", "churn-v2")


def test_a_source_that_is_not_allowed_starts_nothing():
    data = training_job()["spec"]["data"]
    passwords = {"name": "x", "uri": "file:///etc/x.csv", "key": ["id"]}
    w = world(data={**data, "sources": [passwords]})
    w.settle()
    assert not w.of("Job")
    said = "data.sources[0].uri file:///etc/x.csv is a file outside the artifact store"
    assert condition(w, "Stalled")["message"] == said


def test_model_tests_that_are_not_allowed_start_nothing():
    w = world(evaluation={"tests": {"uri": "file:///etc/x.jsonl"}})
    w.settle()
    assert not w.of("Job")
    said = "evaluation.tests.uri file:///etc/x.jsonl is a file outside the artifact store"
    assert condition(w, "Stalled")["message"] == said


def test_an_expression_that_is_not_understood_stalls_with_a_sentence():
    data = training_job()["spec"]["data"]
    w = world(data={**data, "derived": [{"name": "f", "expression": "open(x)"}]})
    w.settle()
    assert not w.of("Job")
    assert condition(w, "Stalled")["reason"] == "InvalidSpec"
    assert "Value error" not in condition(w, "Stalled")["message"]
    assert "open(x) is not understood" in condition(w, "Stalled")["message"]


def test_data_that_are_not_allowed_start_nothing_and_are_told_once():
    w = world(data={"uri": "file:///etc/x.csv", "task": "binary", "target": "y"})
    w.settle()
    w.settle()
    assert not w.of("Job")
    assert condition(w, "Stalled")["reason"] == "UriNotAllowed"
    said = "data.uri file:///etc/x.csv is a file outside the artifact store"
    assert condition(w, "Stalled")["message"] == said
    assert [e.message for e in w.events if e.reason == "UriNotAllowed"] == [said]
    item = w.objects[("TrainingJob", NAME)]
    w.add({**item, "spec": {**item["spec"], "data": training_job()["spec"]["data"]}})
    w.settle()
    assert w.of("Job")
    assert condition(w, "Stalled")["status"] == "False"
