"""The elector: terms never overlap, whatever clocks, delays, stops and lost answers do."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.control.elector import Elector, Lease, TermError
from pawl.control.kinds import LEASES, Resource
from pawl.control.kube import KubeError


async def _at_once() -> None:
    """A request that takes no time."""


class Api:
    """One Lease. `way` is awaited before and after each request arrives; `fails` is what every
    request ends with; while `lost`, writes are done and their answers do not come back."""

    def __init__(self, way: Callable[[], Awaitable[None]] = _at_once) -> None:
        self.lease: dict[str, Any] | None = None
        self.fails: Exception | None = None
        self.lost = False
        self.writes = 0
        self._way = way

    async def get(self, *_: Any) -> dict[str, Any] | None:
        return copy.deepcopy(await self._answer(lambda: self.lease))

    async def create(self, _: Any, item: dict[str, Any]) -> Any:
        def arrive() -> None:
            if self.lease is not None:
                raise KubeError(409, "AlreadyExists", "exists")
            self._store(copy.deepcopy(item))

        return await self._answer(arrive, self.lost)

    async def merge(self, _r: Any, _namespace: str, _name: str, patch: dict[str, Any]) -> Any:
        def arrive() -> None:
            assert self.lease is not None
            if patch["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
                raise KubeError(409, "Conflict", "modified")
            self._store({**self.lease, "spec": {**self.lease["spec"], **patch["spec"]}})

        return await self._answer(arrive, self.lost)

    def _store(self, lease: dict[str, Any]) -> None:
        self.writes += 1
        self.lease = {**lease, "metadata": {"resourceVersion": str(self.writes)}}

    async def _answer(self, arrive: Callable[[], Any], lost: bool = False) -> Any:
        await self._way()
        if self.fails is not None:
            raise self.fails
        answer = arrive()
        await self._way()
        if lost:
            raise KubeError(0, "NoAnswer", "reset")
        return answer

    @property
    def holder(self) -> str:
        assert self.lease is not None
        return str(self.lease["spec"]["holderIdentity"])


class Time:
    """Goes by when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def elector(api: Any, name: str, time: Time) -> Elector:
    return Elector(api, Lease("pawl-system", "pawl", name), clock=time, sleep=time.sleep)


async def test_the_first_takes_it_and_holds_it_as_long_as_it_renews():
    api, time = Api(), Time()
    first = elector(api, "a", time)
    assert not first.holds
    await first.acquire()
    assert first.holds
    time.now += 9.9
    first.check()
    time.now += 0.2
    with pytest.raises(TermError, match="does not hold"):
        first.check()


async def test_who_waits_takes_it_a_lease_after_the_last_renewal_that_it_saw():
    api, time = Api(), Time()
    await elector(api, "a", time).acquire()
    begun = time.now
    second = elector(api, "b", time)
    await second.acquire()
    assert second.holds
    assert 15 <= time.now - begun <= 15 + 1.2
    assert api.holder == "b"
    assert api.lease is not None
    assert api.lease["spec"]["leaseTransitions"] == 1


async def test_a_released_lease_is_taken_at_the_next_look():
    api, time = Api(), Time()
    first, second = elector(api, "a", time), elector(api, "b", time)
    await first.acquire()
    assert not await second._tried(5)
    await first.release()
    assert not first.holds
    assert await second._tried(5)
    assert second.holds


class Owned(Api):
    """The Deployment that runs the operators is there, or not any more."""

    def __init__(self, uid: str | None) -> None:
        super().__init__()
        self.uid = uid
        self.made: dict[str, Any] = {}

    async def get(self, resource: Resource, *_: Any) -> dict[str, Any] | None:
        if resource is LEASES:
            return await super().get()
        return {"metadata": {"uid": self.uid}} if self.uid else None

    async def create(self, _: Any, item: dict[str, Any]) -> Any:
        self.made = item
        return await super().create(_, item)


def owned(api: Api, time: Time) -> Elector:
    lease = Lease("pawl-system", "pawl", "a", owner="pawl-operator")
    return Elector(api, lease, clock=time, sleep=time.sleep)


async def test_the_lease_belongs_to_the_deployment_that_runs_the_operators():
    api, time = Owned("uid-1"), Time()
    await owned(api, time).acquire()
    (owner,) = api.made["metadata"]["ownerReferences"]
    assert (owner["apiVersion"], owner["kind"]) == ("apps/v1", "Deployment")
    assert (owner["name"], owner["uid"]) == ("pawl-operator", "uid-1")


async def test_who_is_being_uninstalled_makes_no_lease():
    api, time = Owned(None), Time()
    waiting = owned(api, time)
    assert not await waiting._tried(5)
    assert api.lease is None
    api.uid = "uid-1"
    await waiting.acquire()
    api.uid, api.lease = None, None
    with pytest.raises(TermError):
        await waiting.renew()
    assert api.lease is None


async def test_a_lease_that_is_not_held_is_not_released():
    api, time = Api(), Time()
    first, second = elector(api, "a", time), elector(api, "b", time)
    await first.acquire()
    await second.release()
    assert api.holder == "a"


async def test_a_holder_whose_renewals_fail_gives_up_at_the_end_of_its_term():
    api, time = Api(), Time()
    first = elector(api, "a", time)
    await first.acquire()
    begun = time.now
    api.fails = KubeError(500, "InternalError", "etcd")
    with pytest.raises(TermError):
        await first.renew()
    assert 10 <= time.now - begun <= 10 + 2.4


async def test_a_holder_from_whom_it_was_taken_gives_up_at_once():
    api, time = Api(), Time()
    first = elector(api, "a", time)
    await first.acquire()
    assert api.lease is not None
    api._store({**api.lease, "spec": {**api.lease["spec"], "holderIdentity": "b"}})
    with pytest.raises(TermError, match="taken by 'b'"):
        await first.renew()
    assert not first.holds
    assert len(time.slept) == 1


async def test_a_holder_that_was_stopped_for_longer_than_its_term_never_renews():
    api, time = Api(), Time()
    first = elector(api, "a", time)
    await first.acquire()
    writes = api.writes
    time.now += 60
    with pytest.raises(TermError):
        await first.renew()
    assert api.writes == writes


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(KubeError(0, "NoAnswer", "reset"), id="no answer"),
        pytest.param(KubeError(409, "Conflict", "modified"), id="somebody else wrote"),
        pytest.param(KubeError(401, "Unauthorized", "token"), id="expired"),
        pytest.param(KubeError(500, "InternalError", "etcd"), id="a fault"),
    ],
)
async def test_a_failed_renewal_is_tried_again_within_the_term(error: KubeError):
    api, time = Api(), Time()
    first = elector(api, "a", time)
    await first.acquire()
    api.fails = error
    assert not await first._tried(5)
    assert first.holds
    api.fails = None
    assert await first._tried(5)


async def test_a_take_whose_answer_was_lost_is_found_to_be_its_own():
    api, time = Api(), Time()
    first = elector(api, "a", time)
    api.lost = True
    assert not await first._tried(5)
    assert api.holder == "a"
    assert not first.holds
    api.lost = False
    assert await first._tried(5)
    assert first.holds


async def test_a_request_that_is_not_answered_ends_in_time():
    async def never() -> None:
        await asyncio.Event().wait()

    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert not await elector(Api(never), "a", Time())._tried(0.02)
    assert loop.time() - begun < 5


class Way:
    """Yields to whoever drives the coroutine by hand."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def way() -> None:
    await Way()


NAMES = "ab"
#: Who goes on, how far (a try is five steps), after how many seconds, and whether the answers to
#: what it writes are lost.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from([5, 5, 5, 1, 2, 3, 4]),
        st.sampled_from([0.0, 0.0, 2.0, 2.0, 4.9, 6.0, 9.9, 15.1, 40.0]),
        st.sampled_from([False, False, False, True]),
    ),
    min_size=4,
    max_size=16,
)


@settings(max_examples=200)
@given(STEPS, st.floats(-1e6, 1e6))
def test_no_two_ever_hold_it_at_once(steps: list[tuple[str, int, float, bool]], offset: float):
    """Requests and answers are on their way for as long as it takes, processes stop in the middle
    of anything, answers are lost, clocks show what they like."""
    now, api = 0.0, Api(way)
    electors = {
        "a": Elector(api, Lease("x", "y", "a"), clock=lambda: now),  # type: ignore[arg-type]
        "b": Elector(api, Lease("x", "y", "b"), clock=lambda: now + offset),  # type: ignore[arg-type]
    }
    going: dict[str, Coroutine[Any, Any, bool]] = {}
    for name, far, seconds, api.lost in steps:
        now += seconds
        trying = going.pop(name, None) or electors[name]._try()
        try:
            for _ in range(far):
                trying.send(None)
                assert sum(e.holds for e in electors.values()) <= 1
            going[name] = trying
        except (StopIteration, KubeError, TermError):
            assert sum(e.holds for e in electors.values()) <= 1
    for left in going.values():
        left.close()
