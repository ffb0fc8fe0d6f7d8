"""Commands of `pawl` to a rollout, and specs that are refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import models
import pytest
from harness import Space, condition
from trial import CANDIDATE, ERRORS, Trial, canary


def test_pause_resume_and_promotion_by_hand(space: Space):
    rollout = {"canary": canary((20, "1h"), (50, "1s")), "promotion": "Manual"}
    with Trial(space, rollout).serve() as trial:
        trial.candidate(models.good())
        trial.reaches("Canary", step=0)
        assert trial.pawl("pause") == f"pawl.dev/pause: {CANDIDATE}\n"
        trial.until(lambda s: "pausedAt" in s["rollout"])
        trial.edit(canary=canary((20, "1s"), (50, "1s")))
        status = trial.until(lambda s: would_go_on(s["rollout"]))
        assert (status["rollout"]["phase"], status["rollout"]["step"]) == ("Canary", 0)
        assert "paused in canary 20 %" in condition(status, "Ready")["message"]
        assert trial.weights() == {"1": 80, "2": 20}
        mark = trial.load.mark()
        trial.answered(400)
        answers = [request.version for request in trial.load.since(mark)]
        assert 0.1 < answers.count("2") / len(answers) < 0.3
        assert trial.pawl("resume") == "pawl.dev/pause removed\n"
        trial.reaches("Canary", step=1)
        status = trial.until(lambda s: "waits for `pawl promote`" in s["rollout"]["message"])
        assert "waits for `pawl promote`" in condition(status, "RolloutBlocked")["message"]
        assert trial.weights() == {"1": 50, "2": 50}
        assert trial.pawl("promote", "-m", "looks good") == f"pawl.dev/promote: {CANDIDATE}\n"
        trial.ends("Promoted")
        trial.only_answers("2")
    assert trial.load.failed == []


def would_go_on(state: dict[str, Any]) -> bool:
    """Had it not been paused: everything that the first step waits for is there."""
    begun = datetime.fromisoformat(state["stepStartedAt"]).timestamp()
    proven = any(g["metric"] == "error_rate" and g["verdict"] == "Pass" for g in state["gates"])
    return proven and state["stepSamples"] >= 20 and state["measuredTo"] > begun + 2


def test_an_aborted_candidate_gets_nothing_and_is_not_tried_again(space: Space):
    with Trial(space, {"canary": canary((30, "1h"))}).serve() as trial:
        trial.candidate(models.good())
        trial.reaches("Canary")
        assert trial.pawl("abort", "-m", "too slow") == f"pawl.dev/abort: {CANDIDATE}\n"
        status = trial.ends("Aborted")
        trial.only_answers("1", 300)
        assert status["rolledBack"][0]["reason"] == "Aborted"
        assert "no rollout is under way" in trial.pawl("promote", "-m", "too late", fails=2)
    assert trial.load.failed == []


@pytest.mark.parametrize(
    ("rollout", "words"),
    [
        pytest.param(
            {"canary": canary((5, "1m"), gates=[{"metric": "error_rate", "notWorseBy": 0}])},
            "rollout.canary.gates[0].notWorseBy",
            id="a margin that nothing can pass",
        ),
        pytest.param(
            {"canary": canary((50, "1m"), (5, "1m"))},
            "the weights of the steps must grow",
            id="weights that shrink",
        ),
        pytest.param(
            {"canary": canary((5, "1m"), (5, "1m"))},
            "the weights of the steps must grow",
            id="weights that stay",
        ),
        pytest.param(
            {"canary": canary((5, "1m"), gates=[{"metric": "error_rate"}])},
            "give max or notWorseBy",
            id="a gate without a limit",
        ),
        pytest.param(
            {"canary": canary((5, "1m")), "decision": {"onInconclusive": "Promote"}},
            "onInconclusive: Promote needs acceptUnproven: true",
            id="promotion without proof",
        ),
        pytest.param({}, "give shadow or canary, or both", id="no stage"),
    ],
)
def test_a_wrong_rollout_is_refused_at_apply(space: Space, rollout: Any, words: str):
    with pytest.raises(Exception) as refused:  # noqa: PT011 - the words are compared below
        space.create("Deployment", "mine", {"model": "mine", "rollout": rollout})
    assert words in str(refused.value)


def test_a_query_without_a_prometheus_is_refused_in_the_status(space: Space):
    with Trial(space, {"canary": canary((50, "1s"))}).serve() as trial:
        query = {"prometheus": {"query": "up", "min": 1}}
        trial.edit(canary=canary((50, "1s"), gates=[ERRORS, query]))
        trial.candidate(models.good())
        space.until("ModelVersion", CANDIDATE, lambda s: s.get("stage") == "Candidate")
        status = trial.until(lambda s: condition(s, "Stalled")["status"] == "True")
        assert condition(status, "Stalled")["reason"] == "NoPrometheus"
        assert "PAWL_PROMETHEUS" in condition(status, "Stalled")["message"]
        trial.only_answers("1")
        trial.edit(canary=canary((50, "1s")))
        trial.ends("Promoted")
    assert trial.load.failed == []
