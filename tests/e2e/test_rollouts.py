"""A new version on its way: tried in the shadow, in the canary, promoted or rolled back; and what
its users notice of it."""

from __future__ import annotations

import models
from harness import Space, condition, eventually
from models import LARGE, SMALL, body
from trial import CANDIDATE, STABLE, Trial, canary, shadow

#: Three inputs of ten are those that a faulty version fails on.
MIXED = [body(LARGE)] * 3 + [body(SMALL)] * 7


def test_a_good_candidate_is_shadowed_canaried_and_promoted(space: Space):
    rollout = {"shadow": shadow(), "canary": canary((20, "1s"), (50, "1s"))}
    trial = Trial(space, rollout, replicas=2, routing={"replicas": 2})
    with trial.serve():
        trial.candidate(models.good())
        status = trial.ends("Promoted")
        trial.only_answers("2")
    assert trial.load.failed == []
    assert trial.load.versions == {"1", "2"}
    assert status["stable"]["name"] == CANDIDATE
    assert condition(status, "Ready")["status"] == "True"
    space.until("ModelVersion", CANDIDATE, lambda s: s.get("stage") == "Champion")
    space.until("ModelVersion", STABLE, lambda s: s.get("stage") == "Archived")
    assert len(space.list("Workload", "pawl.dev/role=server")) == 1
    space.told("mine", f"Promoted: {CANDIDATE}")
    told = space.events("mine")
    for event in (
        f"RolloutStarted: {CANDIDATE} is compared with {STABLE}: shadow",
        f"RolloutAdvanced: {CANDIDATE}: canary 20 % (step 1 of 2)",
        f"RolloutAdvanced: {CANDIDATE}: canary 50 % (step 2 of 2)",
        f"RolloutAdvanced: {CANDIDATE}: promoting",
        f"Promoted: {CANDIDATE} gets all requests instead of {STABLE}",
    ):
        assert told.count(event) == 1, told


def test_a_candidate_that_fails_some_inputs_is_rolled_back_and_tried_again_when_told(space: Space):
    trial = Trial(space, {"canary": canary((50, "1s"))})
    with trial.serve(bodies=MIXED):
        trial.candidate(models.fails_above())
        status = trial.ends("GateFailed")
        trial.only_answers("1", 300)
        entry = status["rolledBack"][0]
        assert (entry["version"], entry["attempt"]) == (CANDIDATE, 1)
        assert entry["message"].startswith("error_rate failed")
        assert status["stable"]["name"] == STABLE
        assert condition(status, "Ready")["status"] == "True"
        assert not space.list("Workload", "pawl.dev/version=2")
        assert trial.pawl("retry", "-m", "tried again") == f"pawl.dev/retry: {CANDIDATE}\n"
        trial.until(lambda s: len(s["rolledBack"]) == 2)
        status = trial.ends("GateFailed")
        assert status["rolledBack"][0]["attempt"] == 2
        trial.only_answers("1", 300)  # the command that is still there does nothing any more
    assert trial.load.by("2") > 0
    assert {error[:3] for error in trial.load.failed} == {"500"}


def test_a_newer_candidate_takes_the_place_of_the_one_under_way(space: Space):
    trial = Trial(space, {"canary": canary((30, "1h"))})
    with trial.serve():
        trial.candidate(models.good())
        trial.reaches("Canary")
        eventually(lambda: trial.load.by("2") > 0, "an answer of the second version")
        third = trial.candidate(models.good(), 3)
        trial.reaches("Canary", candidate=third)
        assert trial.weights() == {"1": 70, "3": 30}
        mark = trial.load.mark()
        trial.edit(canary=canary((30, "1s")))
        status = trial.ends("Promoted", third)
        trial.only_answers("3")
    assert trial.load.failed == []
    assert {request.version for request in trial.load.since(mark)} == {"1", "3"}
    assert status.get("rolledBack", []) == []
    space.told("mine", "Superseded")
    servers = space.list("Workload", "pawl.dev/role=server")
    assert [server["metadata"]["name"] for server in servers] == ["mine-v3"]


def test_a_late_failure_in_the_holdback_rolls_back(space: Space):
    holdback = {"weight": 30, "duration": "1h"}
    trial = Trial(space, {"canary": canary((50, "1s")), "holdback": holdback})
    with trial.serve():
        trial.candidate(models.fails_above())  # which nobody notices yet
        trial.reaches("Holdback")
        status = trial.until(lambda s: "holdback" in [part["role"] for part in s["traffic"]])
        assert status["stable"]["name"] == CANDIDATE
        assert trial.weights() == {"1": 30, "2": 70}
        assert trial.load.failed == []
        trial.load.bodies = MIXED
        status = trial.ends("GateFailed")
        trial.only_answers("1", 200)
    assert status["stable"]["name"] == STABLE
    last = [(entry["version"], entry["reason"]) for entry in status["history"][:2]]
    assert last == [(CANDIDATE, "GateFailed"), (STABLE, "RolledBack")]
    space.until("ModelVersion", STABLE, lambda s: s.get("stage") == "Champion")


def test_without_traffic_it_waits_and_says_so_and_at_the_deadline_it_gives_up(space: Space):
    trial = Trial(space, {"canary": canary((50, "1s"))}).serve()
    trial.candidate(models.good())
    trial.reaches("Canary")
    status = trial.until(lambda s: "0 of 20 requests" in condition(s, "Ready").get("message", ""))
    assert "error_rate is undecided" in condition(status, "Ready")["message"]
    assert condition(status, "RolloutBlocked")["status"] == "False"
    trial.edit(decision={"deadline": "1s"})
    status = trial.until(lambda s: condition(s, "RolloutBlocked")["status"] == "True")
    assert "no decision within 1s" in condition(status, "RolloutBlocked")["message"]
    assert trial.weights() == {"1": 50, "2": 50}
    trial.edit(decision={"onInconclusive": "Rollback"})
    status = trial.ends("Inconclusive")
    assert "no decision within 1s: error_rate" in status["rolledBack"][0]["message"]
    assert trial.weights() == {"1": 100}
