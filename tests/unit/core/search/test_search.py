"""A search, folded over everything that may happen: no trial twice, never too many at once or in
all, and one version in the end, whoever dies when."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import (
    DIGEST,
    INSTALLATION,
    ConflictError,
    OperatorDiedError,
    World,
    run_json,
    run_result,
    training_job,
)

from pawl.api.search import Search
from pawl.artifacts.records import SearchLineage
from pawl.artifacts.trials import Scored, Trial
from pawl.core.plan import Plan, RecordTrial, RecordTrials
from pawl.core.run_work import SearchObserved, trial_of
from pawl.core.search import Table, trial_jobs
from pawl.core.trainingjob import plan_training_job
from pawl.search.protocol import Proposal

NAME = "churn-nov"
PARAMETERS = [{"name": "C", "type": "double", "min": 0, "max": 1}]


def search(**changes: Any) -> dict[str, Any]:
    return {"objectives": [{"metric": "roc_auc"}], "parameters": PARAMETERS, **changes}


def value(number: int) -> float:
    """What a trial scores: 0.5, 0.9, 0.3, … the best of many is not the last."""
    return (0.5 + 0.4 * number) % 1


@dataclass
class Searching(World):
    """A world with a store of trials and a sampler that proposes C = number / 1000."""

    trials: dict[int, Trial] = field(default_factory=dict)
    scored: dict[int, Scored] = field(default_factory=dict)
    tables: dict[int, bytes] = field(default_factory=dict)
    prune: set[int] = field(default_factory=set)
    begun: list[int] = field(default_factory=list)
    most: int = 0
    error: str = ""

    def _act(self, action: Any) -> None:
        match action:
            case RecordTrial(_, run, trial):
                assert run == 1  # that in which the search began
                self.trials.setdefault(trial.number, trial)
            case RecordTrials(_, run, lines):
                self.tables.setdefault(run, lines)
            case _:
                before = self.of("Job")
                super()._act(action)
                new = [j for j in self.of("Job") if j not in before and trial_of(j) is not None]
                self.begun += [n for job in new if (n := trial_of(job)) is not None]
                self.most = max(self.most, len(self.unfinished()))

    def jobs(self) -> dict[int, dict[str, Any]]:
        return {n: job for job in self.of("Job") if (n := trial_of(job)) is not None}

    def unfinished(self) -> list[int]:
        return [n for n, job in self.jobs().items() if "status" not in job]

    def reconcile_job(self, name: str = NAME, die_after: int | None = None) -> Plan:
        item = self.objects[("TrainingJob", name)]
        run = (item.get("status", {}).get("run") or {}).get("number") or 1
        jobs = trial_jobs(self.of("Job"), run)
        highest = max({*self.trials, *jobs}, default=-1)
        asked = tuple(
            Proposal(number=n, parameters={"C": n / 1000}, beside=tuple(sorted(set(jobs))))
            for n in range(highest + 1, highest + 5)
        )
        over = set(range(highest + 1)) - set(self.trials)
        seen = SearchObserved(
            run=1,
            trials=dict(self.trials),
            scored={n: s for n, s in self.scored.items() if n in over},
            asked=asked,
            prune=frozenset(self.prune),
            error=self.error,
        )
        observed = replace(self.observe_job(name), search=seen)
        plan = plan_training_job(observed, INSTALLATION, self.clock)
        self.carry_out(observed.object, plan, die_after)
        return plan

    def succeed(self, number: int, **changes: Any) -> None:
        told: dict[str, Any] = {"number": number, "parameters": {"C": number / 1000}}
        values = {"roc_auc": value(number)}
        self.scored[number] = Scored(**told | {"values": values, "data_digest": DIGEST} | changes)
        self.end(number, "Complete")

    def end(self, number: int, how: str) -> None:
        job = {"status": {"conditions": [{"type": how, "status": "True", "message": "told"}]}}
        self.objects[("Job", self.jobs()[number]["metadata"]["name"])] |= job

    def finish_final(self, run: int = 1) -> None:
        (job,) = [j for j in self.of("Job") if trial_of(j) is None]
        job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
        result = run_result("uid-1", run)
        spec = Search.model_validate(self.objects[("TrainingJob", NAME)]["spec"]["search"])
        table = Table(spec, self.trials)
        assert table.best is not None
        found: SearchLineage = table.lineage(table.best)
        lineage = result.lineage.model_copy(
            update={"search": found, "recipe_digest": self.told()["run"]["recipeDigest"]}
        )
        self.results[f"uid-1-{run}"] = result.model_copy(update={"lineage": lineage})

    def told(self) -> dict[str, Any]:
        return self.status("TrainingJob", NAME)

    def change(self, **search_: Any) -> None:
        item = copy.deepcopy(self.objects[("TrainingJob", NAME)])
        item["spec"]["search"] |= search_
        item["metadata"]["generation"] += 1
        self.add(item)

    def all_at_once(self) -> None:
        """Every trial that there is to be, one after the other."""
        for _ in range(100):
            self.settle()
            left = self.unfinished()
            if not left:
                return
            for number in left:
                self.succeed(number)
        raise AssertionError("the search does not end")


def world(**changes: Any) -> Searching:
    made = Searching()
    made.add(training_job(search=search(**changes)))
    return made


@settings(max_examples=30, deadline=None)
@given(
    parallel=st.integers(1, 4),
    most=st.integers(1, 9),
    steps=st.lists(
        st.tuples(st.sampled_from(["good", "bad", "prune", "delete"]), st.integers(0, 9),
                  st.one_of(st.none(), st.integers(0, 6))),
        max_size=40,
    ),
)  # fmt: skip
def test_no_trial_twice_and_never_too_many(
    parallel: int, most: int, steps: list[tuple[str, int, int | None]]
):
    w = world(parallelTrials=parallel, maxTrials=most, maxFailedTrials=1000)
    for what, which, dies in steps:
        left = w.unfinished()
        if left:
            number = left[which % len(left)]
            match what:
                case "good":
                    w.succeed(number)
                case "bad":
                    w.end(number, "Failed")
                case "prune":
                    w.prune.add(number)
                case "delete" if number != max(w.jobs()):
                    del w.objects[("Job", w.jobs()[number]["metadata"]["name"])]
        try:
            w.reconcile_job(die_after=dies)
        except (OperatorDiedError, ConflictError):
            continue
    w.all_at_once()
    assert len(w.begun) == len(set(w.begun))
    assert w.begun == list(range(most))
    assert sorted(w.trials) == list(range(most))
    assert w.most <= parallel
    told = w.told()
    if any(trial.outcome == "Succeeded" for trial in w.trials.values()):
        w.finish_final()
        w.settle()
        assert [v["metadata"]["name"] for v in w.of("ModelVersion")] == ["churn-v1"]
        assert w.told()["phase"] == "Succeeded"
    else:
        assert told["phase"] == "Failed"
    assert not w.jobs()


def test_the_best_parameters_are_trained_and_the_table_is_kept():
    w = world(maxTrials=4, parallelTrials=2)
    w.all_at_once()
    (job,) = w.of("Job")
    assert job["metadata"]["name"] == "churn-nov-r1"
    config = run_json(job)
    assert config["spec"]["trainer"]["sklearn"]["parameters"] == {"C": 0.001}
    assert config["dataDigest"] == DIGEST
    assert config["search"]["trial"] == 1
    assert [json.loads(line)["number"] for line in w.tables[1].splitlines()] == [0, 1, 2, 3]
    assert w.told()["best"] == {
        "trial": 1,
        "values": {"roc_auc": 0.9},
        "parameters": {"C": "0.001"},
    }
    w.finish_final()
    w.settle()
    found = w.objects[("ModelVersion", "churn-v1")]["spec"]["lineage"]["search"]
    assert (found["trial"], found["trials"]) == (1, 4)
    assert found["table"] == "runs/uid-1-1/trials.jsonl"


def test_trials_see_the_data_that_the_first_one_saw():
    w = world(maxTrials=3)
    w.settle()
    w.succeed(0)
    w.settle()
    (variable,) = [
        v["value"]
        for v in w.jobs()[1]["spec"]["template"]["spec"]["containers"][0]["env"]
        if v["name"] == "PAWL_TRIAL"
    ]
    assert json.loads(variable)["dataDigest"] == DIGEST
    w.succeed(1, data_digest="sha256:" + "cd" * 32)
    w.settle()
    assert w.told()["phase"] == "Failed"
    assert "the data changed" in w.told()["run"]["message"]


def test_what_is_wrong_with_the_data_ends_the_run():
    w = world(maxTrials=3)
    w.settle()
    w.end(0, "Failed")
    told = json.dumps({"stage": "prepare", "reason": "CheckFailed", "message": "no rows"})
    ended = {"exitCode": 10, "message": told}
    w.pods = [
        {
            "metadata": {"name": "p", "labels": {"pawl.dev/trial": "0"}},
            "status": {
                "phase": "Failed",
                "initContainerStatuses": [{"name": "prepare", "state": {"terminated": ended}}],
            },
        }
    ]
    w.settle()
    assert w.told()["phase"] == "Failed"
    assert w.told()["run"]["message"] == "prepare: no rows"


@pytest.mark.parametrize(
    ("changes", "ended", "trials"),
    [
        pytest.param({"stop": {"value": 0.85}}, "GoalReached", 2, id="the goal is reached"),
        pytest.param({"stop": {"noImprovement": 3}}, "NoImprovement", 5, id="nothing better"),
        pytest.param(
            {
                "algorithm": "grid",
                "parameters": [{"name": "C", "type": "int", "min": 1, "max": 6}],
            },
            "GridDone",
            6,
            id="the whole grid",
        ),
        pytest.param({}, "MaxTrials", 20, id="the limit"),
    ],
)
def test_a_search_ends(changes: dict[str, Any], ended: str, trials: int):
    w = world(**changes)
    w.all_at_once()
    assert w.told()["search"] == ended
    assert len(w.trials) == trials


def test_too_many_failures_end_the_run_with_the_last_sentence():
    w = world(maxFailedTrials=1, parallelTrials=3)
    w.settle()
    for number in (0, 1):
        w.end(number, "Failed")
    w.settle()
    assert w.told()["phase"] == "Failed"
    assert w.told()["run"]["message"] == "more than 1 trials failed; trial 1: told"
    assert not w.jobs()


def test_a_search_that_is_impossible_fails_with_the_samplers_sentence():
    w = world()
    w.error = "the grid has more than 10,000 points"
    w.settle()
    assert w.told()["run"]["message"] == w.error


def test_a_suspended_search_begins_no_trial():
    w = world(parallelTrials=2)
    w.settle()
    item = copy.deepcopy(w.objects[("TrainingJob", NAME)])
    item["spec"]["suspend"] = True
    w.add(item)
    w.succeed(0)
    w.settle()
    assert list(w.jobs()) == [1]
    assert w.jobs()[1]["spec"]["suspend"] is True
    assert w.told()["phase"] == "Suspended"


def finished(trials: int) -> Searching:
    w = world(maxTrials=trials)
    w.all_at_once()
    w.finish_final()
    w.settle()
    return w


def test_a_lost_status_is_found_again_in_the_middle_and_at_the_end():
    w = world(maxTrials=4, parallelTrials=2)
    w.settle()
    w.succeed(0)
    w.settle()
    w.objects[("TrainingJob", NAME)].pop("status")
    w.all_at_once()
    assert w.begun == [0, 1, 2, 3]
    w.finish_final()
    w.settle()
    before = w.told()
    w.objects[("TrainingJob", NAME)].pop("status")
    w.settle()
    after = w.told()
    for name in ("trials", "best", "search", "modelVersion", "phase"):
        assert after[name] == before[name]
    assert len(w.of("ModelVersion")) == 1


def test_a_larger_limit_goes_on_with_the_same_search():
    w = finished(3)  # the best is trial 1, by 0.9; trial 7 will score 0.3, 4 only 0.1, 6 0.9
    w.change(maxTrials=12)
    w.all_at_once()
    assert w.begun == list(range(12))
    status = w.told()
    assert (status["run"]["number"], status["run"]["resumes"]) == (2, 1)


def test_a_resumed_search_whose_best_stays_makes_no_new_version():
    w = finished(3)
    w.change(maxTrials=4)
    w.all_at_once()
    status = w.told()
    assert status["phase"] == "Succeeded"
    assert status["run"]["number"] == 2
    assert status["modelVersion"] == "churn-v1"
    assert "still the best" in status["run"]["message"]
    assert len(w.of("ModelVersion")) == 1


def test_a_smaller_limit_changes_nothing():
    w = finished(3)
    w.change(maxTrials=2, parallelTrials=7)
    w.settle()
    assert w.told()["run"]["number"] == 1


def test_the_best_of_several_objectives_is_best_in_the_first():
    spec = Search.model_validate(
        search(
            algorithm="nsga2",
            objectives=[{"metric": "roc_auc"}, {"metric": "log_loss"}],
        )
    )

    def trial(number: int, auc: float, loss: float) -> Trial:
        values = {"roc_auc": auc, "log_loss": loss}
        return Trial(number=number, parameters={}, outcome="Succeeded", values=values)

    rows = [trial(0, 0.8, 0.1), trial(1, 0.9, 0.5), trial(2, 0.9, 0.4), trial(3, 0.9, 0.4)]
    best = Table(spec, {t.number: t for t in rows}).best
    assert best is not None
    assert best.number == 2
