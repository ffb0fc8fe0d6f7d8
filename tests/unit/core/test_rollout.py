"""The rollout as a fold of its turns: whole trajectories, and a search for a broken invariant."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.api.deployment import ServedVersion
from pawl.api.rollout import RolloutSpec
from pawl.api.rollout_status import RolledBack, RolloutGate, RolloutStatus
from pawl.core import rollout
from pawl.core.commands import Commands
from pawl.core.shift import Wanted

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SHADOW = {"duration": "10m", "gates": [{"metric": "disagreement", "max": 0.05}]}
CANARY = {
    "steps": [{"weight": 5, "duration": "10m"}, {"weight": 50, "duration": "10m"}],
    "gates": [{"metric": "error_rate", "notWorseBy": 0.01}],
}


def served(number: int) -> ServedVersion:
    return ServedVersion(
        name=f"churn-v{number}",
        version=number,
        uri=f"s3://m/{number}",
        digest="sha256:" + f"{number:064x}",
    )


def policy(**spec: Any) -> RolloutSpec:
    return RolloutSpec.model_validate({"shadow": SHADOW, "canary": CANARY} | spec)


@dataclass
class World:
    """The operator's memory and what the routers do; `turn` is one reconcile."""

    spec: RolloutSpec | None = field(default_factory=policy)
    stable: ServedVersion | None = field(default_factory=lambda: served(1))
    target: ServedVersion = field(default_factory=lambda: served(2))
    state: RolloutStatus | None = None
    routers: Wanted | None = None
    now: datetime = NOW
    commands: Commands = field(default_factory=Commands)
    verdicts: dict[str, str] = field(default_factory=dict)
    failed: list[RolledBack] = field(default_factory=list)
    broken: str = ""
    samples: int = 10_000
    events: list[str] = field(default_factory=list)
    wanted: Wanted | None = None

    def measured(self) -> RolloutStatus | None:
        """What `core.gates.fold` would make of the state."""
        state = self.state
        if state is None or self.spec is None:
            return state
        gates = [
            RolloutGate(stage=stage, metric=gate.metric or "query", required=gate.required,
                        verdict=self.verdicts.get(gate.metric or "query", "Inconclusive"))
            for stage, part in (("shadow", self.spec.shadow), ("canary", self.spec.canary))
            for gate in (part.gates if part else ())
        ]  # fmt: skip
        return state.model_copy(update={"gates": tuple(gates), "step_samples": self.samples})

    def observe(self) -> rollout.Observation:
        return rollout.Observation(
            spec=self.spec,
            stable=self.stable,
            target=self.target,
            state=self.measured(),
            confirmed=False,
            now=self.now,
            uid="u",
            attempt=1 + sum(f.version == self.target.name for f in self.failed),
            broken=self.broken,
            commands=self.commands,
        )

    def turn(self) -> rollout.Turn:
        seen = self.observe()
        turn = rollout.advance(seen)
        if turn.wanted == self.routers:
            turn = rollout.advance(replace(seen, confirmed=True))
        self.check(turn)
        self.state, self.wanted = turn.state, turn.wanted
        if turn.promoted is not None:
            self.stable = turn.promoted
        if turn.rolled_back is not None:
            self.failed.append(turn.rolled_back)
        if turn.returned_to is not None:
            self.stable = served(turn.returned_to)
            if self.target.name == self.failed[-1].version:
                self.target = self.stable
        self.events += [event.reason for event in turn.events]
        return turn

    def check(self, turn: rollout.Turn) -> None:
        assert sum(turn.wanted.weights.values()) == 100
        required = self.required()
        before = self.state
        promoted = turn.promoted.name if turn.promoted is not None else ""
        if before is not None and self.spec is not None and promoted == before.candidate:
            assert self.spec.decision.accept_unproven or before.phase == "Promoting"
        if turn.state is None or self.spec is None or before is None:
            return
        if turn.state.phase == "Promoting" and before.phase in ("Shadow", "Canary"):
            last = [v for s, v in required if s == before.phase.lower()]
            assert self.spec.decision.accept_unproven or all(v == "Pass" for v in last)
            assert "Fail" not in [v for _, v in required]
        if any(v == "Fail" for _, v in required) and before.phase != "RollingBack":
            assert turn.state.phase == "RollingBack" or turn.state.candidate != before.candidate

    def required(self) -> list[tuple[str, str]]:
        state = self.measured()
        return [(g.stage, g.verdict) for g in (state.gates if state else ()) if g.required]

    def follow(self) -> None:
        """Every router does what is wanted."""
        self.routers = self.wanted

    def run(self, minutes: int = 0, turns: int = 3) -> rollout.Turn:
        """Some turns that the routers follow, and then time goes by."""
        for _ in range(turns):
            turn = self.turn()
            self.follow()
        self.now += timedelta(minutes=minutes)
        return turn

    @property
    def weight(self) -> int:
        return self.wanted.weights.get(2, 0) if self.wanted else 0


def test_without_a_spec_a_version_replaces_the_other_directly():
    world = World(spec=None)
    world.run()
    assert world.stable == served(2)
    assert world.state is None


def test_the_first_version_and_an_older_pin_are_not_compared_with_anything():
    world = World(stable=None)
    world.run()
    assert world.stable == served(2)
    world.target = served(1)
    world.run()
    assert world.stable == served(1)


def test_a_good_candidate_is_shadowed_then_canaried_then_promoted():
    world = World(verdicts={"disagreement": "Pass", "error_rate": "Pass"})
    seen = []
    for _ in range(20):
        turn = world.run(minutes=4, turns=1)
        phase = (turn.state.phase if turn.state else "Idle", world.weight)
        if not seen or seen[-1] != phase:
            seen.append(phase)
    assert seen == [("Shadow", 0), ("Canary", 5), ("Canary", 50), ("Promoting", 100), ("Idle", 100)]
    assert world.stable == served(2)


def test_nothing_advances_before_time_samples_and_gates_are_met():
    world = World(verdicts={"disagreement": "Pass"})
    world.run(minutes=9)
    world.run()
    assert world.state is not None
    assert world.state.phase == "Shadow"
    assert "1m to go" in world.state.message
    world.samples = 5
    world.run(minutes=2)
    world.run()
    assert "5 of 200 pairs" in world.state.message
    world.samples = 500
    world.verdicts = {}
    world.run()
    assert "disagreement is undecided" in world.state.message
    world.verdicts = {"disagreement": "Pass"}
    world.run()
    assert world.state.phase == "Canary"


def test_canary_gates_may_be_open_until_the_last_step():
    world = World(spec=policy(shadow=None))
    world.run(minutes=11)
    world.run(minutes=11)
    world.run(minutes=11)
    assert world.weight == 50
    assert world.state is not None
    assert "error_rate is undecided" in world.state.message


@pytest.mark.parametrize("phase", ["Shadow", "Canary", "Holdback"])
def test_a_gate_that_fails_takes_the_traffic_away_at_once(phase: str):
    world = World(
        spec=policy(holdback={"weight": 5, "duration": "1h"}),
        verdicts={"disagreement": "Pass", "error_rate": "Pass"},
    )
    while world.state is None or world.state.phase != phase:
        world.run(minutes=4, turns=1)
    world.verdicts["error_rate"] = "Fail"
    turn = world.turn()
    assert turn.state is not None
    assert turn.state.phase == "RollingBack"
    assert turn.wanted.weights == {1: 100}
    world.run()
    assert world.state is None
    assert world.stable == served(1)
    assert [f.version for f in world.failed] == ["churn-v2"]


def test_a_broken_candidate_does_not_wait_for_statistics_even_when_paused():
    world = World(spec=policy(shadow=None, paused=True))
    world.run()
    world.broken = "it answers nothing but errors"
    assert world.turn().wanted.weights == {1: 100}


def test_a_gate_that_is_not_required_only_reports():
    gates = [{"metric": "error_rate", "notWorseBy": 0.01, "required": False}]
    world = World(spec=policy(shadow=None, canary={**CANARY, "gates": gates}))
    world.verdicts = {"error_rate": "Fail"}
    for _ in range(6):
        world.run(minutes=11)
    assert world.stable == served(2)


def test_a_newer_candidate_supersedes_the_running_one():
    world = World(verdicts={"disagreement": "Pass"})
    world.run(minutes=11)
    world.run()
    assert world.weight == 5
    world.target = served(3)
    turn = world.turn()
    assert turn.state is not None
    assert (turn.state.candidate, turn.state.phase) == ("churn-v3", "Shadow")
    assert turn.wanted.weights == {1: 100}
    assert "Superseded" in world.events


def test_a_pause_keeps_the_clocks_still():
    world = World(spec=policy(shadow=None))
    world.run(minutes=5)
    world.commands = Commands(pause="churn-v2")
    world.run(minutes=600)
    world.run()
    assert world.state is not None
    assert world.state.message.startswith("paused")
    world.commands = Commands()
    world.run()
    assert world.weight == 5
    assert world.state.message.startswith("canary 5 % (step 1 of 2): 5m to go")
    world.run(minutes=6)
    world.run()
    assert world.weight == 50


@pytest.mark.parametrize(
    ("decision", "phase"),
    [
        pytest.param({}, "Canary", id="wait"),
        pytest.param({"onInconclusive": "Rollback"}, None, id="rollback"),
        pytest.param(
            {"onInconclusive": "Promote", "acceptUnproven": True}, "promoted", id="promote"
        ),
    ],
)
def test_at_the_deadline_without_a_decision(decision: dict[str, Any], phase: str | None):
    world = World(spec=policy(shadow=None, decision={"deadline": "1h", **decision}))
    for _ in range(8):
        world.run(minutes=11)
    world.run()
    if phase == "promoted":
        assert world.stable == served(2)
        return
    assert world.stable == served(1)
    assert (world.state.phase if world.state else None) == phase
    if world.state is not None:
        assert world.state.warning == "no decision within 1h: error_rate undecided"
        assert world.events.count("Inconclusive") == 1


def test_a_candidate_that_never_gets_ready_meets_the_deadline_too():
    world = World(spec=policy(decision={"deadline": "1h", "onInconclusive": "Rollback"}))
    for _ in range(8):
        world.turn()
        world.now += timedelta(minutes=11)
    world.run()
    assert [f.reason for f in world.failed] == ["Inconclusive"]


def test_manual_promotion_waits_for_its_command():
    world = World(spec=policy(shadow=None, promotion="Manual"), verdicts={"error_rate": "Pass"})
    for _ in range(4):
        world.run(minutes=11)
    assert world.weight == 50
    assert world.events.count("AwaitingPromotion") == 1
    world.commands = Commands(promote="churn-v3")
    world.run()
    assert world.weight == 50
    world.commands = Commands(promote="churn-v2")
    world.run()
    assert world.stable == served(2)


def test_a_command_promotes_nothing_that_is_unproven_unless_the_spec_accepts_it():
    world = World(spec=policy(shadow=None), commands=Commands(promote="churn-v2"))
    world.run()
    assert world.weight == 5
    assert world.events.count("PromotionRefused") == 1
    world.spec = policy(shadow=None, decision={"acceptUnproven": True})
    world.run()
    assert world.stable == served(2)


def test_an_aborted_rollout_goes_back_and_the_command_does_not_hit_the_next_attempt():
    world = World(spec=policy(shadow=None), commands=Commands(abort="churn-v2"))
    world.run()
    assert world.stable == served(1)
    assert world.failed[0].reason == "Aborted"
    world.target = served(2)
    world.run()
    assert world.weight == 5
    assert world.state is not None
    assert world.state.attempt == 2


def test_holdback_keeps_the_old_version_for_a_while():
    world = World(
        spec=policy(shadow=None, holdback={"weight": 10, "duration": "1h"}),
        verdicts={"error_rate": "Pass"},
    )
    for _ in range(4):
        world.run(minutes=11)
    assert world.stable == served(2)
    assert world.wanted == Wanted({1: 10, 2: 90}, 2)
    world.run(minutes=61)
    world.run()
    assert world.wanted == Wanted({2: 100}, 2)
    assert world.state is None


def test_an_edit_that_takes_a_stage_away_moves_on_to_what_is_left():
    world = World()
    world.run()
    world.spec = policy(shadow=None)
    world.run()
    assert world.weight == 5
    world.spec = policy(canary=None)
    world.run()
    assert world.weight == 0
    world.spec = None
    world.run()
    assert world.stable == served(2)


def test_a_stage_begins_with_its_first_weights_and_goes_on_through_its_steps():
    world = World(verdicts={"disagreement": "Pass", "error_rate": "Pass"})
    began: dict[str, set[str | None]] = {}
    for _ in range(12):
        world.run(minutes=4, turns=2)
        if world.state is not None and world.state.step_started_at is not None:
            began.setdefault(world.state.phase, set()).add(world.state.stage_started_at)
    assert [len(times) for times in began.values()] == [1, 1]
    assert began["Shadow"] != began["Canary"]


def test_repeating_a_turn_changes_nothing():
    world = World(verdicts={"disagreement": "Pass"})
    for _ in range(6):
        world.run(minutes=4)
        world.turn()
        second, state = world.turn(), world.state
        assert world.turn().wanted == second.wanted
        assert world.state == state


VERDICT = st.sampled_from(["Pass", "Fail", "Inconclusive", "Error"])
SPECS = st.sampled_from(
    [
        policy(), policy(shadow=None), policy(canary=None), None,
        policy(holdback={"weight": 5, "duration": "1h"}), policy(promotion="Manual"),
        policy(paused=True), policy(decision={"onInconclusive": "Rollback", "deadline": "30m"}),
    ]
)  # fmt: skip
EVENT = st.one_of(
    st.tuples(st.just("turn"), st.just(0)),
    st.tuples(st.just("follow"), st.just(0)),
    st.tuples(st.just("minutes"), st.integers(-5, 60)),
    st.tuples(st.just("target"), st.integers(1, 4)),
    st.tuples(st.just("spec"), SPECS),
    st.tuples(st.just("disagreement"), VERDICT),
    st.tuples(st.just("error_rate"), VERDICT),
    st.tuples(st.just("samples"), st.integers(0, 400)),
    st.tuples(st.just("broken"), st.sampled_from(["", "all errors"])),
    st.tuples(
        st.just("commands"),
        st.builds(Commands, *[st.sampled_from(["", "churn-v2", "churn-v3", "churn-v2#2"])] * 3),
    ),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(EVENT, max_size=60))
def test_no_history_breaks_an_invariant_and_every_history_can_end(events):
    world = World()
    for name, value in events:
        match name:
            case "turn":
                world.turn()
            case "follow":
                world.follow()
            case "minutes":
                world.now += timedelta(minutes=value)
            case "target":
                world.target = served(value)
            case "disagreement" | "error_rate":
                world.verdicts[name] = value
            case _:
                setattr(world, name, value)
    # From now on nothing is in the way: the newest version is promoted.
    world.spec, world.broken, world.commands, world.samples = policy(), "", Commands(), 10_000
    world.target = served(9)
    world.verdicts = {"disagreement": "Pass", "error_rate": "Pass"}
    for _ in range(20):
        world.run(minutes=11)
        world.target = served(9)
    assert world.stable == served(9)
    assert world.state is None
