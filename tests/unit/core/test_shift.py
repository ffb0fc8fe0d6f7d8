"""Shifting traffic as a fold of its steps, over worlds that hypothesis makes up."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.core import shift
from pawl.core.routing.route import Backend, Route, Shadow
from pawl.core.routing.state import RouterState


def route(weights: shift.Weights, shadow: Shadow | None = None) -> Route:
    backends = tuple(Backend(v, f"m-v{v}", 8080, w) for v, w in sorted(weights.items()))
    return Route("m", backends, shadow=shadow)


def to(version: int, fallback: int | None = None) -> shift.Wanted:
    return shift.Wanted({version: 100}, fallback or version)


@dataclass
class Router:
    """Loads the published files late, clusters and routes independently of each other."""

    clusters: Route = field(default_factory=lambda: Route("m"))
    routes: Route = field(default_factory=lambda: Route("m"))
    active: dict[int, int] = field(default_factory=dict)


@dataclass
class World:
    """A cluster in which `publish` applies a step."""

    wanted: shift.Wanted = field(default_factory=lambda: to(1))
    published: Route = field(default_factory=lambda: Route("m"))
    pods: dict[int, shift.Pods] = field(default_factory=dict)
    routers: list[Router] = field(default_factory=lambda: [Router(), Router()])

    def observe(self) -> shift.Situation:
        states = tuple(
            RouterState(
                router.clusters.clusters_revision,
                router.routes.routes_revision,
                {
                    version: self.pods.get(version, shift.Pods(0, 0)).ready
                    for version in router.clusters.weights
                },
                dict(router.active),
            )
            for router in self.routers
        )
        return shift.Situation(
            self.wanted,
            self.published.weights,
            self.published.shadow,
            self.published.clusters_revision,
            self.published.routes_revision,
            dict(self.pods),
            states,
        )

    def publish(self) -> shift.Step:
        """One reconcile: step, then what the executor would do."""
        before, step = self.published, shift.step(self.observe())
        self.published = route(step.weights, step.shadow)
        self.check(before, step)
        for version in self.wanted.versions:
            self.pods.setdefault(version, shift.Pods(2, 0))
        for version in step.removable:
            del self.pods[version]
        return step

    def check(self, before: Route, step: shift.Step) -> None:
        weights = [weight for weight in step.weights.values() if weight is not None]
        assert not weights or sum(weights) == 100
        assert not before.routed or weights, "what is served stays served"
        for version, weight in step.weights.items():
            grows = (weight or 0) > (before.weights.get(version) or 0)
            new_copies = step.shadow is not None and step.shadow.version == version
            new_copies = new_copies and before.shadow != step.shadow
            if (grows and not before.weights.get(version)) or new_copies:
                assert version in before.weights
            if grows and version in self.wanted.versions and version != self.wanted.fallback:
                assert self.pods[version].complete or self.somebody_is_dead(before)
            if grows or new_copies:
                assert self.routers
                for router in self.routers:
                    assert version in router.clusters.weights
        for version in step.removable:
            assert version not in self.wanted.versions
            for router in self.routers:
                assert version not in router.clusters.weights
        if step.confirmed:
            positive = {v: w for v, w in self.wanted.weights.items() if w}
            for router in self.routers:
                assert {v: w for v, w in router.routes.weights.items() if w} == positive
                assert router.routes.shadow == self.wanted.shadow

    def somebody_is_dead(self, before: Route) -> bool:
        return any(
            weight and not self.pods.get(version, shift.Pods(0, 0)).ready
            for version, weight in before.weights.items()
        )

    def sync(self, index: int, part: str) -> None:
        router = self.routers[index % len(self.routers)] if self.routers else None
        if router is None:
            return
        if part == "clusters":
            router.clusters = self.published
        else:
            router.routes = self.published
        for backend in router.routes.routed:  # else a request would get 503
            assert not backend.weight or backend.version in router.clusters.weights
        if router.routes.shadow is not None:
            assert router.routes.shadow.version in router.clusters.weights

    def all_ready(self) -> None:
        self.pods = {v: shift.Pods(p.needed, p.needed) for v, p in self.pods.items()}
        for index in range(len(self.routers)):
            self.sync(index, "clusters")
            self.sync(index, "routes")

    def settle(self) -> shift.Step:
        """Everything works from now on: the shift must come to its end."""
        step = self.publish()
        for _ in range(30):
            for router in self.routers:
                router.active = {}
            self.all_ready()
            step = self.publish()
            if step.phase == "Serving" and set(self.pods) == self.wanted.versions:
                return step
        raise AssertionError(f"never ended: {step}")


def test_a_first_version_is_served_once_its_pods_are_ready():
    world = World()
    assert world.publish().phase == "Starting"
    step = world.settle()
    assert step.confirmed
    assert dict(step.weights) == {1: 100}


def test_a_replacement_passes_through_every_phase_in_order():
    world = World()
    world.settle()
    world.wanted = to(2, fallback=1)
    phases = []
    for _ in range(12):
        step = world.publish()
        if not phases or phases[-1] != step.phase:
            phases.append(step.phase)
        world.all_ready()
    assert phases == ["Starting", "Warming", "Shifting", "Draining", "Serving"]


def test_a_canary_gets_its_weight_and_the_stable_version_keeps_the_rest():
    world = World()
    world.settle()
    world.wanted = shift.Wanted({1: 95, 2: 5}, 1)
    step = world.settle()
    assert dict(step.weights) == {1: 95, 2: 5}
    world.wanted = shift.Wanted({1: 75, 2: 25}, 1)
    assert dict(world.settle().weights) == {1: 75, 2: 25}


def test_a_weight_grows_only_when_the_pods_for_it_are_there():
    world = World(wanted=to(1))
    world.settle()
    world.wanted = shift.Wanted({1: 95, 2: 5}, 1)
    world.settle()
    world.pods[2] = shift.Pods(4, 2)
    world.wanted = shift.Wanted({1: 50, 2: 50}, 1)
    step = world.publish()
    assert dict(step.weights) == {1: 95, 2: 5}
    assert step.message == "2 of 4 pods of v2 are ready"


def test_who_has_to_answer_users_gets_no_copies():
    world = World(shift.Wanted({1: 100}, 1, Shadow(2, 100)))
    world.pods = {1: shift.Pods(2, 0), 2: shift.Pods(2, 2)}
    world.published = route({1: 95, 2: 5})
    world.routers = [Router(world.published, world.published)]
    step = world.publish()
    assert (step.weights, step.shadow) == ({1: 0, 2: 100}, None)
    assert not step.confirmed
    world.pods[1] = shift.Pods(2, 2)
    for _ in range(4):
        for part in ("clusters", "routes"):
            world.sync(0, part)
        step = world.publish()
    assert (step.weights, step.shadow) == ({1: 100, 2: 0}, Shadow(2, 100))


def test_a_shadow_gets_copies_and_no_weight():
    world = World()
    world.settle()
    world.wanted = shift.Wanted({1: 100}, 1, Shadow(2, 50))
    step = world.settle()
    assert dict(step.weights) == {1: 100, 2: None}
    assert step.shadow == Shadow(2, 50)
    world.wanted = to(1)
    assert dict(world.settle().weights) == {1: 100}
    assert set(world.pods) == {1}


def test_a_superseded_candidate_loses_its_weight_before_the_next_one_is_ready():
    world = World()
    world.settle()
    world.wanted = shift.Wanted({1: 90, 2: 10}, 1)
    world.settle()
    world.wanted = shift.Wanted({1: 90, 3: 10}, 1)
    assert dict(world.publish().weights) == {1: 100, 2: 0}
    assert dict(world.settle().weights) == {1: 90, 3: 10}


@pytest.mark.parametrize("fallback", [1, 2])
def test_a_version_without_a_healthy_pod_loses_its_weight(fallback: int):
    world = World()
    world.settle()
    world.wanted = shift.Wanted({1: 50, 2: 50}, 1)
    world.settle()
    world.pods[2] = shift.Pods(2, 0)
    world.wanted = shift.Wanted({1: 50, 2: 50}, fallback)
    assert dict(world.publish().weights) == {1: 100, 2: 0}


def test_going_back_does_not_wait_for_anything():
    world = World()
    world.settle()
    world.wanted = shift.Wanted({1: 50, 2: 50}, 1)
    world.settle()
    world.pods[1] = shift.Pods(4, 1)
    world.wanted = to(1)
    assert dict(world.publish().weights) == {1: 100, 2: 0}


@pytest.mark.parametrize(
    "lagging", [pytest.param("clusters", id="clusters"), pytest.param("routes", id="routes")]
)
def test_one_router_that_lags_behind_holds_the_old_pods(lagging: str):
    world = World()
    world.settle()
    world.wanted = to(2, fallback=1)
    for _ in range(12):
        world.publish()
        world.pods = {v: shift.Pods(p.needed, p.needed) for v, p in world.pods.items()}
        world.sync(0, "clusters")
        world.sync(0, "routes")
        world.sync(1, "routes" if lagging == "clusters" else "clusters")
    assert 1 in world.pods


def test_requests_under_way_hold_the_old_version():
    world = World()
    world.settle()
    world.wanted = to(2, fallback=1)
    for _ in range(12):
        world.publish()
        for router in world.routers:
            router.active = {1: 1}
        world.all_ready()
    assert world.published.weights == {1: None, 2: 100}
    assert 1 in world.pods


def test_without_a_router_nothing_is_taken_as_served():
    world = World(routers=[])
    world.publish()
    world.pods[1] = shift.Pods(1, 1)
    for _ in range(4):
        step = world.publish()
    assert not step.confirmed
    assert step.phase == "Warming"
    assert step.message == "no router is ready"


WANTED = st.one_of(
    st.builds(to, st.integers(1, 4)),
    st.builds(
        lambda stable, ahead, weight: shift.Wanted(
            {stable: 100 - weight, stable + ahead: weight}, stable
        ),
        st.integers(1, 3), st.integers(1, 2), st.integers(1, 99),
    ),
    st.builds(
        lambda stable, ahead, percent: shift.Wanted(
            {stable: 100}, stable, Shadow(stable + ahead, percent)
        ),
        st.integers(1, 3), st.integers(1, 2), st.integers(1, 100),
    ),
)  # fmt: skip
EVENT = st.one_of(
    st.tuples(st.just("publish"), st.just(0)),
    st.tuples(st.just("wanted"), WANTED),
    st.tuples(st.just("ready"), st.integers(1, 5)),
    st.tuples(st.just("unready"), st.integers(1, 5)),
    st.tuples(st.just("more"), st.integers(1, 5)),
    st.tuples(st.just("clusters"), st.integers(0, 2)),
    st.tuples(st.just("routes"), st.integers(0, 2)),
    st.tuples(st.just("restart"), st.integers(0, 2)),
    st.tuples(st.just("busy"), st.integers(1, 5)),
    st.tuples(st.just("scale"), st.integers(0, 3)),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(EVENT, max_size=60))
def test_no_history_breaks_an_invariant_and_every_history_can_end(events):
    world = World()
    for name, value in events:
        match name:
            case "publish":
                world.publish()
            case "wanted":
                world.wanted = value
            case "ready" if value in world.pods:
                needed = world.pods[value].needed
                world.pods[value] = shift.Pods(needed, needed)
            case "unready" if value in world.pods:
                world.pods[value] = shift.Pods(world.pods[value].needed, 0)
            case "more" if value in world.pods:
                pods = world.pods[value]
                world.pods[value] = shift.Pods(pods.needed + 1, pods.ready)
            case "clusters" | "routes":
                world.sync(value, name)
            case "restart" if world.routers:
                router = world.routers[value % len(world.routers)]
                router.clusters = router.routes = world.published
            case "busy" if world.routers:
                world.routers[0].active = {value: 1}
            case "scale":
                while len(world.routers) > value:
                    world.routers.pop()
                while len(world.routers) < value:
                    world.routers.append(Router(world.published, world.published))
    if not world.routers:
        world.routers.append(Router(world.published, world.published))
    step = world.settle()
    assert step.confirmed
