"""What a rollout promises to each user: a shadow costs nothing, and who has a version keeps it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import models
import psutil
from harness import Space, eventually
from load import USER_HEADER, Request, slowest
from models import LARGE, body
from trial import Trial, canary, shadow

#: Far more than a request takes, far less than one that waits for a shadow (30 s).
PATIENCE = 5.0


def processes(space: Space, version: str) -> list[int]:
    """Of the servers of a version, as this machine sees them: it is the node."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:
            continue
        of_space = f"imports/{space.name}/" in environment.get("PAWL_ARTIFACT_URI", "")
        if of_space and environment.get("PAWL_MODEL_VERSION") == version:
            found.append(process.pid)
    return found


@contextmanager
def frozen(space: Space, version: str) -> Iterator[None]:
    """The servers of a version take connections and never answer."""
    pids = processes(space, version)
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            if psutil.pid_exists(pid):
                os.kill(pid, signal.SIGCONT)


def unharmed(requests: list[Request]) -> None:
    """All were answered, in time, and by the stable version."""
    assert {(request.version, request.error) for request in requests} == {("1", "")}
    assert slowest(requests) < PATIENCE


def test_a_hanging_shadow_is_given_up_and_costs_users_nothing(space: Space):
    trial = Trial(space, {"shadow": shadow("1h"), "canary": canary((50, "1s"))})
    with trial.serve(connections=4):
        trial.candidate(models.good())
        trial.until(lambda s: (s.get("rollout") or {}).get("stepSamples", 0) > 0)
        with frozen(space, "2"):
            trial.ends("CandidateBroken")
            trial.only_answers("1")
    unharmed(trial.load.requests)


def test_a_shadow_whose_pods_die_costs_users_nothing(space: Space):
    trial = Trial(space, {"shadow": shadow("1h"), "canary": canary((50, "1s"))})
    with trial.serve(connections=4):
        trial.candidate(models.good())
        trial.until(lambda s: (s.get("rollout") or {}).get("stepSamples", 0) > 0)
        for _ in range(3):
            for pid in processes(space, "2"):
                os.kill(pid, signal.SIGKILL)
            trial.answered(100)
    unharmed(trial.load.requests)


def test_a_shadow_that_fails_is_given_up_and_costs_users_nothing(space: Space):
    trial = Trial(space, {"shadow": shadow(), "canary": canary((50, "1s"))})
    with trial.serve(bodies=[body(LARGE)]):
        trial.candidate(models.fails_above())
        status = trial.ends("CandidateBroken")
        trial.only_answers("1")
    unharmed(trial.load.requests)
    assert "requests all failed" in status["rolledBack"][0]["message"]


def test_a_shadow_that_answers_otherwise_is_given_up(space: Space):
    trial = Trial(space, {"shadow": shadow(), "canary": canary((50, "1s"))})
    with trial.serve():
        trial.candidate(models.contrary())
        status = trial.ends("GateFailed")
        trial.only_answers("1")
    unharmed(trial.load.requests)
    assert status["rolledBack"][0]["message"].startswith("disagreement failed: different labels")


def test_a_user_keeps_the_version_while_its_weight_grows(space: Space):
    """With one router, which takes new weights in one moment."""
    sticky = {"header": USER_HEADER}
    users = [f"user-{number}" for number in range(60)]
    trial = Trial(space, {"canary": canary((20, "1h"), (60, "1h"), sticky=sticky)})
    with trial.serve(connections=4, users=users):
        trial.candidate(models.good())
        trial.reaches("Canary", step=0)
        few = seen_with(trial, users, "2")
        trial.edit(canary=canary((20, "1s"), (60, "1h"), sticky=sticky))
        trial.reaches("Canary", step=1)
        more = seen_with(trial, users, "2")
        assert few < more < set(users)
        trial.edit(canary=canary((20, "1s"), (60, "1s"), sticky=sticky))
        trial.ends("Promoted")
    assert trial.load.failed == []
    for user in users:
        versions = [r.version for r in trial.load.requests if r.user == user]
        changes = [pair for pair in pairwise(versions) if pair[0] != pair[1]]
        assert changes in ([], [("1", "2")]), user


def seen_with(trial: Trial, users: list[str], version: str) -> set[str]:
    """Who is answered by a version, once everybody was answered since now."""
    mark = trial.load.mark()
    eventually(lambda: {r.user for r in trial.load.since(mark)} == set(users), "all users")
    return {r.user for r in trial.load.since(mark) if r.version == version}
