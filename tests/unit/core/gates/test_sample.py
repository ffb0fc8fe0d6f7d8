"""The routers' counters as evidence: each request once, whatever happens to the routers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trial import CANDIDATE, NOON, STABLE, START, Trial, spec_of, start, state_of

from pawl.api.rollout_status import RolloutStatus
from pawl.core.gates.sample import Sample, take
from pawl.core.measurement import Arm, Measurement
from pawl.core.routing.route import Backend, Route
from pawl.core.routing.state import RouterState, Totals

T = Totals


def router(pod: str = "a", *, uptime: int = 100, started: str = "u/0", **totals: T) -> RouterState:
    """Totals by version: `v7`, `v8`, and copies `v8s`."""
    users = {int(name[1:]): total for name, total in totals.items() if not name.endswith("s")}
    copies = {int(name[1:-1]): total for name, total in totals.items() if name.endswith("s")}
    return RouterState(
        "c1", "r1", pod=pod, totals=users, mirrored=copies, started=started, uptime=uptime
    )


SILENT = RouterState(None, None, pod="a", started="u/0")


def take_all(*rounds: tuple[RouterState, ...], phase: Any = "Canary", **more: Any) -> list[Sample]:
    """One sample after the other."""
    state, samples = state_of(phase, **more), []
    for at, routers in enumerate(rounds):
        measured = Measurement(START + 2 * at, START + 2 * at + 2, Arm(), Arm())
        sample, readings = take(state, measured, routers, CANDIDATE)
        samples.append(sample)
        dumped = state.model_copy(update={"routers": readings}).model_dump(mode="json")
        state = RolloutStatus.model_validate(dumped)
    return samples


def counted(*rounds: tuple[RouterState, ...], **more: Any) -> list[tuple[int, ...]]:
    return [tuple(sample.requests) for sample in take_all(*rounds, **more)]


def test_the_first_reading_of_a_router_is_only_a_beginning():
    one = router(v7=T(100, 5), v8=T(10, 1))
    two = router(v7=T(150, 6), v8=T(12, 1), uptime=102)
    assert counted((one,), (two,)) == [(0, 0, 0, 0), (50, 1, 2, 0)]


def test_several_routers_add_up():
    one = router("a", v7=T(100), v8=T(10)), router("b", v7=T(200), v8=T(20))
    two = (
        router("b", v7=T(201), v8=T(22, 1), uptime=102),
        router("a", v7=T(103), v8=T(14), uptime=102),
    )
    assert counted(one, two)[1] == (4, 0, 6, 1)


@pytest.mark.parametrize(
    "after",
    [
        pytest.param({"started": "u/1", "uptime": 300}, id="another container"),
        pytest.param({"uptime": 1}, id="a younger process"),
    ],
)
def test_a_router_that_began_anew_has_counted_all_since(after: Any):
    one = router(v7=T(100, 5), v8=T(10))
    two = router(v7=T(400, 2), v8=T(30, 3), **after)
    assert counted((one,), (two,))[1] == (400, 2, 30, 3)


def test_a_version_that_a_router_met_again_has_counted_all_since():
    one, two = router(v7=T(100), v8=T(50)), router(v7=T(110), v8=T(4, 1), uptime=102)
    assert counted((one,), (two,))[1] == (10, 0, 4, 1)


def test_what_a_router_does_not_say_once_does_not_count_twice_later():
    rounds = [
        (router(v7=T(100), v8=T(50)),),
        (router(v7=T(110), uptime=102),),
        (router(v7=T(120), v8=T(53), uptime=104),),
    ]
    assert counted(*rounds)[1:] == [(10, 0, 0, 0), (10, 0, 3, 0)]


def test_a_router_that_did_not_answer_tells_later_what_it_counted():
    one, two = router(v7=T(100), v8=T(50)), router(v7=T(110), v8=T(53, 2), uptime=104)
    assert counted((one,), (SILENT,), (two,))[1:] == [(0, 0, 0, 0), (10, 0, 3, 2)]


def test_a_router_that_never_answered_is_not_known():
    assert counted((SILENT,), (router(v7=T(100), v8=T(50)),)) == [(0, 0, 0, 0)] * 2


def test_a_router_that_is_gone_counts_no_more():
    one = router("a", v7=T(100), v8=T(10)), router("b", v7=T(100), v8=T(10))
    two = (router("b", v7=T(101), v8=T(10), uptime=102),)
    assert counted(one, two)[1] == (1, 0, 0, 0)


def test_clients_that_went_may_be_told_later_without_a_counter_beginning_anew():
    # what was counted as given up turns out to be a timeout: answered requests never fall
    one = router(v7=T(1000, 20, abandoned=4), v8=T(10))
    two = router(v7=T(999, 19, abandoned=3), v8=T(10), uptime=102)
    assert counted((one,), (two,))[1] == (0, 0, 0, 0)


def test_there_are_no_more_errors_than_requests():
    one, two = router(v7=T(10, 1), v8=T(10)), router(v7=T(11, 3), v8=T(10, 1), uptime=102)
    assert counted((one,), (two,))[1] == (1, 1, 0, 0)


def test_a_shadow_has_copies():
    one = router(v7=T(100), v8s=T(90), v8=T(1000))
    two = router(v7=T(150), v8s=T(139, 2), v8=T(2000), uptime=102)
    assert counted((one,), (two,), phase="Shadow")[1] == (50, 0, 49, 2)


def test_not_more_routers_than_status_can_hold():
    rounds = [
        tuple(
            router(f"router-{n:02}", v7=T(10 * (at + 1)), v8=T(1), uptime=100 + at)
            for n in range(40)
        )
        for at in range(2)
    ]
    assert counted(*rounds)[1] == (320, 0, 0, 0)


@dataclass
class Process:
    """A router as it is, and what can be known of it by its readings."""

    started: int = 0
    uptime: int = 0
    total: T = field(default_factory=T)
    unread: T | None = None  # since the last reading; None before there is one

    def serve(self, n: int, k: int) -> None:
        self.total += T(n, k)
        self.uptime += 2
        if self.unread is not None:
            self.unread += T(n, k)

    def restart(self) -> None:
        self.started, self.uptime, self.total = self.started + 1, 0, T()
        if self.unread is not None:
            self.unread = T()

    def read(self) -> T:
        known, self.unread = self.unread, T()
        return known or T()


ACTIONS = st.sampled_from(["serve", "restart", "silence", "read"])


@given(st.lists(st.tuples(ACTIONS, st.integers(0, 500), st.integers(0, 500)), max_size=40))
def test_every_request_counts_once(actions: list[tuple[str, int, int]]):
    process, state = Process(), state_of("Canary")
    expected = found = T()
    for at, (action, n, k) in enumerate(actions):
        if action == "serve":
            process.serve(n, min(n, k))
            continue
        if action == "restart":
            process.restart()
            continue
        now = SILENT
        if action == "read":
            expected += process.read()
            now = router(
                v7=process.total, started=f"u/{process.started}", uptime=100 + process.uptime
            )
        measured = Measurement(START + at, START + at + 1, Arm(), Arm())
        sample, readings = take(state, measured, (now,), CANDIDATE)
        found += T(sample.requests.stable_n, sample.requests.stable_k)
        state = state.model_copy(update={"routers": readings})
    assert (found.requests, found.errors) == (expected.requests, expected.errors)


# -- the share of the traffic, where it was the same all the time


def route(weight: int | None) -> Route:
    rest = 100 - (weight or 0)
    backends = (Backend(STABLE, "s", 1, rest), Backend(CANDIDATE, "c", 1, weight))
    return Route("churn", backends)


AWAY = route(0)


def share(
    before: str = "r1",
    now: str = "r1",
    *,
    published: Route | None = None,
    begin: int = START,
    **state: Any,
) -> float | None:
    values = {"weight": 25} | state
    first = replace(router(v7=T(1), v8=T(1)), routes_revision=before)
    second = replace(router(v7=T(9), v8=T(3), uptime=102), routes_revision=now)
    measured = Measurement(begin, begin + 2, Arm(), Arm())
    known = state_of(values.pop("phase", "Canary"), **values)
    _, readings = take(known, measured, (first,), CANDIDATE, published)
    known = known.model_copy(update={"routers": readings})
    return take(known, measured, (second,), CANDIDATE, published)[0].share


def test_the_share_is_known_in_a_steady_interval():
    assert share() == 0.25
    assert share(phase="Holdback", weight=95) == 0.95
    followed = route(25)
    assert share(followed.routes_revision, followed.routes_revision, published=followed) == 0.25


@pytest.mark.parametrize(
    "circumstances",
    [
        pytest.param({"begin": START - 1}, id="the step began within it"),
        pytest.param({"step_started_at": None}, id="the step has not begun"),
        pytest.param({"before": "r0"}, id="a router had other routes before"),
        pytest.param({"phase": "Shadow", "weight": 0}, id="copies are no share"),
        pytest.param({"phase": "Promoting", "weight": 100}, id="all requests"),
        pytest.param(
            {"published": AWAY, "before": AWAY.routes_revision, "now": AWAY.routes_revision},
            id="the weight was taken away",
        ),
        pytest.param({"published": route(25)}, id="routers do not follow yet"),
    ],
)
def test_the_share_is_not_known_when_it_was_not_the_same_all_the_time(circumstances: Any):
    assert share(**circumstances) is None


def split(trial: Trial, shares: list[float], *, weight: int, n: int = 500) -> str:
    """The verdict of `traffic_split` after intervals with these real shares."""
    rng = np.random.default_rng(6)
    trial.state = trial.state.model_copy(update={"weight": weight})
    for part in shares:
        got = int(rng.binomial(n, part))
        trial.go(errors=(n - got, 0, got, 0))
    return trial.gate("traffic_split").verdict


def test_a_candidate_that_does_not_get_its_share_is_an_error():
    trial = start("canary")
    assert split(trial, [0.25] * 30, weight=25) == "Pass"
    assert split(trial, [0.20] * 30, weight=25) == "Error"
    assert "comparisons are void" in trial.gate("traffic_split").message


def test_shares_of_steps_are_not_mixed_up():
    trial = start("canary")
    assert split(trial, [0.05] * 100, weight=5) == "Pass"
    assert split(trial, [0.5] * 100, weight=50) == "Pass"
    gate = trial.gate("traffic_split")
    assert gate.candidate is not None
    assert gate.candidate.value == pytest.approx(0.275, abs=0.01)


def test_while_the_weight_moves_nothing_is_said_of_the_share():
    trial = start("canary", step_started_at=None)
    assert split(trial, [0.9] * 30, weight=25) == "Pass"
    assert trial.gate("traffic_split").message == "no traffic yet"


# -- requests that come from the same users


def users(rate: float, n: int = 20, buckets: int = 100) -> dict[int, tuple[int, int]]:
    """All requests of a user fare alike."""
    return {b: (n, n if b < rate * buckets else 0) for b in range(buckets)}


STICKY = {"stable": Arm(users=users(0.1)), "candidate": Arm(users=users(0.1))}


def wealth(trial: Trial) -> float:
    """The largest log e-value against the candidate so far."""
    return float(trial.gate("error_rate").evidence.split(" ")[-3])


def sticky() -> Trial:
    return start("canary", {"metric": "error_rate", "notWorseBy": 0.01})


def test_correlated_requests_say_less():
    independent, correlated = sticky(), sticky()
    for _ in range(20):
        independent.go(errors=(500, 5, 500, 15))
        correlated.go(errors=(500, 5, 500, 15), **STICKY)
    assert independent.gate("error_rate").verdict == "Fail"
    assert correlated.gate("error_rate").verdict == "Inconclusive"


@pytest.mark.parametrize("since", [None, NOON])
def test_an_interval_without_users_does_not_make_earlier_requests_independent(since: str | None):
    trial = sticky()
    for _ in range(15):
        trial.go(errors=(500, 5, 500, 15), **STICKY)
    before = wealth(trial)
    trial.state = trial.state.model_copy(update={"step_started_at": since})
    trial.go(errors=(500, 5, 500, 5))
    assert wealth(trial) <= before + 0.5
    assert trial.gate("error_rate").verdict == "Inconclusive"


def test_users_of_a_shadow_are_in_both_arms_and_say_nothing_of_shares():
    measured = Measurement(START, START + 2, Arm(users=users(0.1)), Arm(users=users(0.1)))
    sample, _ = take(state_of("Shadow"), measured, (), CANDIDATE)
    assert (sample.design_effect, sample.share_design_effect) == (None, None)


@pytest.mark.parametrize(
    ("state", "requests", "weight"),
    [
        pytest.param({"weight": 5}, T(0), 0.05, id="the weight, also without requests"),
        pytest.param({"weight": 5, "step_started_at": None}, T(100), 0.05, id="before it holds"),
        pytest.param({"phase": "Shadow"}, T(100), 0.5, id="copies of all"),
        pytest.param({"phase": "Shadow"}, T(25), 0.2, id="copies of some"),
        pytest.param({"phase": "Shadow"}, T(0), 0.5, id="no copies yet"),
    ],
)
def test_forecasts_take_the_share_of_all_observations(state: Any, requests: T, weight: float):
    stable = T(100) if requests.requests else T()
    values = {"phase": "Canary"} | state
    known = state_of(values.pop("phase"), **values)
    measured = Measurement(START, START + 2, Arm(), Arm())
    name = "v8s" if known.phase == "Shadow" else "v8"
    _, readings = take(known, measured, (router(v7=T(), **{name: T()}),), CANDIDATE)
    known = known.model_copy(update={"routers": readings})
    after = router(v7=stable, **{name: requests}, uptime=102)
    assert take(known, measured, (after,), CANDIDATE)[0].weight == pytest.approx(weight)


def test_a_spec_without_gates_still_watches_the_split():
    trial = Trial(spec_of("canary"), state_of("Canary"))
    trial.go()
    assert [gate.metric for gate in trial.state.gates] == ["traffic_split"]
