"""What a tracking server should hold, and what the status says of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import INSTALLATION, World, training_job

from pawl.api.tracking import TrackedStatus
from pawl.api.trainingjob import TrainingJob
from pawl.artifacts.trials import Trial
from pawl.core.recipe import recipe_digest
from pawl.core.tracking import Entry, TrackingObserved, entries, trial_entry
from pawl.core.trainingjob import plan_training_job
from pawl.core.versions import read_versions

TRACKING = {"mlflow": {"uri": "http://mlflow"}}


def told(w: World) -> tuple[Entry, ...]:
    item = w.objects[("TrainingJob", "churn-nov")]
    versions = read_versions(w.of("ModelVersion"), "churn")
    return entries(item, TrainingJob.model_validate(item), versions)


def trained(**spec: Any) -> World:
    w = World()
    w.add(training_job(tracking=TRACKING, **spec))
    w.settle()
    w.finish_job()
    w.settle()
    return w


def test_a_run_is_told_with_what_its_version_says():
    (run,) = told(trained())
    assert (run.key, run.state, run.over) == ("uid-1-1", "FINISHED", True)
    assert run.metrics == {"roc_auc": 0.9}
    assert run.bundle is not None
    assert (run.bundle.name, run.tags["pawl.version"]) == ("churn-v1", "churn-v1")
    assert run.tags["pawl.data"] == "s3://lake/x.parquet"


def test_runs_are_told_oldest_first_and_each_with_its_own_parameters():
    w = trained()
    w.objects[("TrainingJob", "churn-nov")]["spec"]["trainer"]["sklearn"]["parameters"] = {"C": 2}
    w.settle()
    first, second = told(w)
    assert (first.state, second.state) == ("FINISHED", "RUNNING")
    assert (first.parameters, second.parameters) == ({}, {"C": "2"})


def test_a_version_that_is_gone_leaves_what_the_status_knows():
    w = trained()
    del w.objects[("ModelVersion", "churn-v1")]
    (run,) = told(w)
    assert (run.state, run.bundle, run.tags["pawl.version"]) == ("FINISHED", None, "churn-v1")


@pytest.mark.parametrize(
    ("outcome", "state"),
    [("Succeeded", "FINISHED"), ("Pruned", "KILLED"), ("Failed", "FAILED")],
)
def test_a_trial_is_told_as_it_ended(outcome: Any, state: str):
    (run,) = told(trained())
    trial = Trial(number=3, parameters={"C": 1.5}, outcome=outcome, seconds=2.0)
    nested = trial_entry(run, trial)
    assert (nested.key, nested.state, nested.parameters) == ("uid-1-1/3", state, {"C": "1.5"})
    assert nested.ended == run.started + 2000


@given(st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.none(), max_size=5))
def test_any_parameter_becomes_one_that_mlflow_takes(values: dict[str, Any]):
    (run,) = told(trained())
    trial = Trial(number=0, parameters=values, outcome="Succeeded")
    for key, value in trial_entry(run, trial).parameters.items():
        assert len(key) <= 250
        assert all(c.isascii() and (c.isalnum() or c in "_-. :/") for c in key)
        assert isinstance(value, str)
        assert len(value) <= 500


def plan(seen: TrackingObserved | None, **spec: Any) -> Any:
    w = trained(**spec)
    observed = dataclasses.replace(w.observe_job("churn-nov"), tracking=seen)
    return plan_training_job(observed, INSTALLATION, w.clock)


def tracked(made: Any) -> dict[str, Any]:
    conditions = {c["type"]: c for c in made.status["conditions"]}
    return conditions.get("Tracked", {"status": "absent"})


@pytest.mark.parametrize(
    ("seen", "status", "reason"),
    [
        pytest.param(None, "absent", None, id="nothing known"),
        pytest.param(TrackingObserved(), "absent", None, id="under way"),
        pytest.param(TrackingObserved(written=True), "True", None, id="written"),
        pytest.param(
            TrackingObserved(reason="MlflowUnavailable", error="down", again=5.0),
            "False", "NotTracked", id="not written",
        ),
    ],
)  # fmt: skip
def test_the_status_says_whether_all_is_recorded(
    seen: TrackingObserved | None, status: str, reason: str | None
):
    made = plan(seen)
    assert tracked(made)["status"] == status
    assert [event.reason for event in made.events] == ([reason] if reason else [])
    assert made.status["phase"] == "Succeeded"


def test_what_is_not_written_is_looked_at_again():
    seen = TrackingObserved(reason="MlflowUnavailable", error="down", again=5.0)
    assert plan(seen).requeue_after == 5.0


def test_the_status_says_where_it_is_recorded():
    seen = TrackingObserved(TrackedStatus(run="abc", version="3"), written=True)
    assert plan(seen).status["tracking"] == {"run": "abc", "version": "3"}


def test_tracking_changes_in_place():
    plain, changed = (
        TrainingJob.model_validate(training_job(**spec)).spec
        for spec in ({}, {"tracking": TRACKING})
    )
    assert recipe_digest(plain) == recipe_digest(changed)
