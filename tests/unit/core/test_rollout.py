"""The rollout as a fold of its steps, over worlds that hypothesis makes up."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.core import rollout
from pawl.core.routing.route import Backend, Route
from pawl.core.routing.state import RouterState


def route(weights: rollout.Weights) -> Route:
    backends = tuple(Backend(v, f"m-v{v}", 8080, w) for v, w in sorted(weights.items()))
    return Route("m", backends)


@dataclass
class Router:
    """Loads the published files late, clusters and routes independently of each other."""

    clusters: Route = field(default_factory=lambda: Route("m"))
    routes: Route = field(default_factory=lambda: Route("m"))
    active: dict[int, int] = field(default_factory=dict)


@dataclass
class World:
    """A cluster in which `publish` applies a step."""

    target: int = 1
    published: Route = field(default_factory=lambda: Route("m"))
    pods: dict[int, rollout.Pods] = field(default_factory=dict)
    routers: list[Router] = field(default_factory=lambda: [Router(), Router()])

    def observe(self) -> rollout.Rollout:
        states = tuple(
            RouterState(
                router.clusters.clusters_revision,
                router.routes.routes_revision,
                {
                    version: self.pods.get(version, rollout.Pods(0, 0)).ready
                    for version in router.clusters.weights
                },
                dict(router.active),
            )
            for router in self.routers
        )
        return rollout.Rollout(
            self.target,
            self.published.weights,
            self.published.clusters_revision,
            self.published.routes_revision,
            dict(self.pods),
            states,
        )

    def publish(self) -> rollout.Step:
        """One reconcile: step, then what the executor would do."""
        before, step = self.published.weights, rollout.step(self.observe())
        self.check(before, step)
        self.published = route(step.weights)
        self.pods.setdefault(self.target, rollout.Pods(2, 0))
        for version in step.removable:
            del self.pods[version]
        return step

    def check(self, before: rollout.Weights, step: rollout.Step) -> None:
        weights = [weight for weight in step.weights.values() if weight is not None]
        assert not weights or sum(weights) == 100
        for version, weight in step.weights.items():
            if weight and not before.get(version):
                assert self.pods[version].complete
                assert self.routers
                for router in self.routers:
                    assert version in router.clusters.weights
        for version in step.removable:
            assert version != self.target
            for router in self.routers:
                assert version not in router.clusters.weights
        if step.serving is not None:
            assert all(router.routes.weights.get(step.serving) for router in self.routers)

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

    def settle(self) -> rollout.Step:
        """Everything works from now on: the rollout must come to its end."""
        step = self.publish()
        for _ in range(30):
            self.pods = {v: rollout.Pods(p.wanted, p.wanted) for v, p in self.pods.items()}
            for index, router in enumerate(self.routers):
                router.active = {}
                self.sync(index, "clusters")
                self.sync(index, "routes")
            step = self.publish()
            if step.phase == "Serving" and set(self.pods) == {self.target}:
                return step
        raise AssertionError(f"never ended: {step}")


def test_a_first_version_is_served_once_its_pods_are_ready():
    world = World()
    assert world.publish().phase == "Starting"
    step = world.settle()
    assert step.serving == 1
    assert dict(step.weights) == {1: 100}


def test_a_replacement_passes_through_every_phase_in_order():
    world = World()
    world.settle()
    world.target = 2
    phases = []
    for _ in range(12):
        step = world.publish()
        if not phases or phases[-1] != step.phase:
            phases.append(step.phase)
        world.pods = {v: rollout.Pods(p.wanted, p.wanted) for v, p in world.pods.items()}
        for index in range(2):
            world.sync(index, "clusters")
            world.sync(index, "routes")
    assert phases == ["Starting", "Warming", "Shifting", "Draining", "Serving"]


@pytest.mark.parametrize(
    "lagging", [pytest.param("clusters", id="clusters"), pytest.param("routes", id="routes")]
)
def test_one_router_that_lags_behind_holds_the_old_pods(lagging: str):
    world = World()
    world.settle()
    world.target = 2
    for _ in range(12):
        world.publish()
        world.pods = {v: rollout.Pods(p.wanted, p.wanted) for v, p in world.pods.items()}
        world.sync(0, "clusters")
        world.sync(0, "routes")
        world.sync(1, "routes" if lagging == "clusters" else "clusters")
    assert 1 in world.pods


def test_requests_under_way_hold_the_old_version():
    world = World()
    world.settle()
    world.target = 2
    for _ in range(12):
        world.publish()
        world.pods = {v: rollout.Pods(p.wanted, p.wanted) for v, p in world.pods.items()}
        for index, router in enumerate(world.routers):
            router.active = {1: 1}
            world.sync(index, "clusters")
            world.sync(index, "routes")
    assert world.published.weights == {1: None, 2: 100}
    assert 1 in world.pods


def test_without_a_router_nothing_is_taken_as_served():
    world = World(routers=[])
    world.publish()
    world.pods[1] = rollout.Pods(1, 1)
    for _ in range(4):
        step = world.publish()
    assert step.serving is None
    assert step.phase == "Warming"


EVENT = st.one_of(
    st.tuples(st.just("publish"), st.just(0)),
    st.tuples(st.just("target"), st.integers(1, 4)),
    st.tuples(st.just("ready"), st.integers(1, 4)),
    st.tuples(st.just("unready"), st.integers(1, 4)),
    st.tuples(st.just("clusters"), st.integers(0, 2)),
    st.tuples(st.just("routes"), st.integers(0, 2)),
    st.tuples(st.just("restart"), st.integers(0, 2)),
    st.tuples(st.just("busy"), st.integers(1, 4)),
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
            case "target":
                world.target = value
            case "ready" if value in world.pods:
                wanted = world.pods[value].wanted
                world.pods[value] = rollout.Pods(wanted, wanted)
            case "unready" if value in world.pods:
                world.pods[value] = rollout.Pods(world.pods[value].wanted, 0)
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
    assert step.serving == world.target
