"""The executor: what changes nothing writes nothing, status under a precondition, events last."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest

from pawl.control.elector import TermError
from pawl.control.executor import Executor, _replacing
from pawl.control.kinds import DEPLOYMENTS, TRAINING_JOBS
from pawl.control.kube import KubeError
from pawl.core.plan import (
    Apply,
    ClaimNumber,
    Create,
    EnsureSecret,
    Event,
    KeepHour,
    Plan,
    RecordDecision,
)
from pawl.errors import ConflictError, StoreError

JOB = {
    "apiVersion": "pawl.dev/v1alpha1",
    "kind": "TrainingJob",
    "metadata": {"name": "a", "namespace": "ml", "uid": "u", "resourceVersion": "5"},
    "status": {"phase": "Running", "old": 1},
}


def child(**data: str) -> dict[str, Any]:
    owner = {"apiVersion": "pawl.dev/v1alpha1", "kind": "TrainingJob", "name": "a", "uid": "u"}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "ml", "ownerReferences": [owner]},
        "data": data,
    }


class Api:
    """Remembers the requests; `there` is what exists already."""

    def __init__(self, there: dict[str, Any] | None = None) -> None:
        self.requests: list[tuple[str, Any]] = []
        self.there = there
        self.conflict = False
        self.fault: KubeError | None = None
        self.refuse: KubeError | None = None

    async def apply(self, resource: Any, item: Any) -> dict[str, Any]:
        self.requests.append(("apply", item))
        meta = {**item["metadata"], "uid": "c1", "resourceVersion": str(len(self.requests))}
        return {**copy.deepcopy(item), "metadata": meta}

    async def create(self, resource: Any, item: Any) -> dict[str, Any]:
        self.requests.append(("create", item))
        if self.refuse is not None:
            raise self.refuse
        if self.there is not None and item["kind"] != "Event":
            raise KubeError(409, "AlreadyExists", "exists")
        return {**item, "metadata": {**item["metadata"], "uid": "c1", "resourceVersion": "1"}}

    async def get(self, *_: Any) -> dict[str, Any] | None:
        return self.there

    async def merge(self, resource: Any, namespace: str, name: str, patch: Any, **_: Any) -> Any:
        self.requests.append(("status", patch))
        if self.fault is not None:
            raise self.fault
        if self.conflict:
            raise KubeError(409, "Conflict", "modified")
        return {**JOB, "status": patch["status"]}


class Known:
    """A cache that has learnt what was written."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Any] = {}

    def get(self, resource: Any, namespace: str, name: str) -> Any:
        return self.items.get((resource.kind, name))

    def learn(self, resource: Any, item: Any, *, quietly: bool = False) -> None:
        self.items[(resource.kind, item["metadata"]["name"])] = item


class Clock:
    """Seconds that go by when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def run(hands: Executor, resource: Any, item: Any, plan: Plan) -> None:
    await hands.act(item, plan)
    await hands.tell(resource, item, plan)


def executor(api: Api, cache: Known, clock: Clock | None = None) -> Executor:
    return Executor(api, cache, None, clock or Clock())  # type: ignore[arg-type]


async def test_applying_the_same_twice_writes_once():
    api, cache = Api(), Known()
    hands = executor(api, cache)
    for _ in range(2):
        await run(hands, TRAINING_JOBS, JOB, Plan(actions=(Apply(child(a="1")),)))
    assert len(api.requests) == 1
    await run(hands, TRAINING_JOBS, JOB, Plan(actions=(Apply(child(a="2")),)))
    assert len(api.requests) == 2


async def test_what_is_remembered_does_not_grow_with_all_that_ever_was():
    api, cache = Api(), Known()
    hands = executor(api, cache)
    for number in range(5000):
        item = child()
        item["metadata"] = {**item["metadata"], "name": f"c{number}"}
        await run(hands, TRAINING_JOBS, JOB, Plan(actions=(Apply(item),)))
        cache.items.pop(("ConfigMap", f"c{number - 10}"), None)
    assert len(hands._applied) <= 1001


async def test_what_somebody_else_changed_is_applied_again():
    api, cache = Api(), Known()
    hands = executor(api, cache)
    plan = Plan(actions=(Apply(child(a="1")),))
    await run(hands, TRAINING_JOBS, JOB, plan)
    found = cache.items[("ConfigMap", "c")]
    found["metadata"] = {**found["metadata"], "resourceVersion": "99"}
    await run(hands, TRAINING_JOBS, JOB, plan)
    assert len(api.requests) == 2


async def test_a_status_is_written_under_a_precondition_and_only_when_it_changed():
    api = Api()
    hands = executor(api, Known())
    await run(hands, TRAINING_JOBS, JOB, Plan(status={"phase": "Running", "old": 1}))
    assert api.requests == []
    await run(hands, TRAINING_JOBS, JOB, Plan(status={"phase": "Failed"}))
    patch = api.requests[0][1]
    assert patch["metadata"]["resourceVersion"] == "5"
    assert patch["status"] == {"phase": "Failed", "old": None}


async def test_no_event_is_told_when_the_status_could_not_be_written():
    api = Api()
    api.conflict = True
    plan = Plan(status={"phase": "Failed"}, events=(Event("RunFailed", "why"),))
    with pytest.raises(KubeError):
        await run(executor(api, Known()), TRAINING_JOBS, JOB, plan)
    assert [name for name, _ in api.requests] == ["status"]


async def test_a_status_that_was_written_though_the_answer_was_lost_is_told_of():
    api = Api(there={**JOB, "status": {"phase": "Failed"}})
    api.fault = KubeError(0, "NoAnswer", "reset")
    plan = Plan(status={"phase": "Failed"}, events=(Event("RunFailed", "why"),))
    await run(executor(api, Known()), TRAINING_JOBS, JOB, plan)
    assert [name for name, _ in api.requests] == ["status", "create"]


async def test_a_status_that_was_not_written_is_planned_again():
    api = Api(there=JOB)
    api.fault = KubeError(500, "InternalError", "etcd")
    plan = Plan(status={"phase": "Failed"}, events=(Event("RunFailed", "why"),))
    with pytest.raises(KubeError):
        await run(executor(api, Known()), TRAINING_JOBS, JOB, plan)
    assert [name for name, _ in api.requests] == ["status"]


async def test_nothing_is_written_to_the_store_without_the_right_to():
    def over() -> None:
        raise TermError("over")

    hands = Executor(None, Known(), None, may_write=over)  # type: ignore[arg-type]
    with pytest.raises(TermError):
        await run(hands, TRAINING_JOBS, JOB, Plan(actions=(ClaimNumber("ml", "m", 1, "u-1"),)))


async def test_an_event_carries_no_credentials():
    api = Api()
    plan = Plan(events=(Event("RunFailed", "s3://key:secret@bucket is gone", "Warning"),))
    await run(executor(api, Known()), TRAINING_JOBS, JOB, plan)
    body = api.requests[0][1]
    assert "secret" not in body["message"]
    assert body["involvedObject"]["uid"] == "u"


async def test_creating_what_is_there_already_is_well_when_it_is_ours():
    there = {**child(), "metadata": {**child()["metadata"], "resourceVersion": "3"}}
    plan = Plan(actions=(Create(child()),))
    await run(executor(Api(there), Known()), TRAINING_JOBS, JOB, plan)
    there["metadata"]["ownerReferences"] = []
    with pytest.raises(ConflictError):
        await run(executor(Api(there), Known()), TRAINING_JOBS, JOB, plan)


async def test_a_name_that_is_taken_is_told_once():
    api = Api({"metadata": {"uid": "x", "ownerReferences": [{"uid": "somebody else"}]}})
    hands = executor(api, Known())
    for _ in range(2):
        with pytest.raises(ConflictError):
            await run(hands, TRAINING_JOBS, JOB, Plan(actions=(Create(child()),)))
    told = [item for _, item in api.requests if item["kind"] == "Event"]
    assert [(event["reason"], event["type"]) for event in told] == [("NameTaken", "Warning")]


async def test_what_is_refused_is_told_once_and_tried_again():
    api = Api()
    api.refuse = KubeError(422, "Invalid", "metadata.annotations: Too long: may not be more than")
    hands = executor(api, Known())
    for _ in range(2):
        with pytest.raises(KubeError):
            await run(hands, TRAINING_JOBS, JOB, Plan(actions=(Create(child()),)))
    assert [item["kind"] for _, item in api.requests] == ["ConfigMap", "Event", "ConfigMap"]
    event = api.requests[1][1]
    assert (event["reason"], event["type"]) == ("Refused", "Warning")
    assert "Too long" in event["message"]


def test_a_replacing_patch_removes_at_every_depth():
    old = {"run": {"a": 1, "b": 2}, "gone": 3, "list": [1]}
    new = {"run": {"a": 5}, "list": [2]}
    assert _replacing(old, new) == {"run": {"a": 5, "b": None}, "gone": None, "list": [2]}


SECRET = EnsureSecret(
    "ml", "churn-feedback", {**JOB, "metadata": {**JOB["metadata"], "name": "churn"}}
)


async def secret(hands: Executor, wanted: EnsureSecret = SECRET) -> None:
    await run(hands, TRAINING_JOBS, JOB, Plan(actions=(wanted,)))


async def test_a_secret_holds_a_random_key_and_goes_with_its_owner():
    api = Api()
    await secret(executor(api, Known()))
    await secret(executor(api, Known()))
    (_, one), (_, other) = api.requests
    assert (one["kind"], one["metadata"]["name"]) == ("Secret", "churn-feedback")
    assert [owner["uid"] for owner in one["metadata"]["ownerReferences"]] == ["u"]
    assert len(base64.b64decode(one["stringData"]["key"])) == 32
    assert one["stringData"] != other["stringData"]


async def test_a_secret_that_is_there_stays_as_it_is_and_is_not_read():
    api = Api(there=child())
    hands = executor(api, Known())
    await secret(hands)
    await secret(hands)
    assert [name for name, _ in api.requests] == ["create"]


async def test_each_owner_has_a_secret_of_its_own():
    api = Api()
    hands = executor(api, Known())
    again = {**SECRET.owner, "metadata": {**SECRET.owner["metadata"], "uid": "another"}}
    for wanted in (
        SECRET,
        EnsureSecret("ml", "churn-feedback", again),
        EnsureSecret("ml", "x", again),
    ):
        await secret(hands, wanted)
    assert len(api.requests) == 3


async def test_a_secret_that_was_deleted_comes_back():
    api, clock = Api(), Clock()
    hands = executor(api, Known(), clock)
    for clock.now in (0.0, 599.0, 601.0, 700.0):
        await secret(hands)
    assert len(api.requests) == 2


async def test_a_secret_that_cannot_be_made_stops_what_follows():
    api = Api()
    api.refuse = KubeError(403, "Forbidden", "no")
    hands = executor(api, Known())
    for _ in range(2):
        with pytest.raises(KubeError):
            await run(hands, TRAINING_JOBS, JOB, Plan(actions=(SECRET, Apply(child()))))
    assert [item["kind"] for _, item in api.requests] == ["Secret", "Event", "Secret"]


class Notified:
    """Keeps what is to be told, and by which request it had to be true."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.told: list[tuple[Any, str, list[str]]] = []

    def tell(self, item: Any, status: Any, event: Event) -> None:
        self.told.append((status, event.reason, [kind for kind, _ in self.api.requests]))


DEPLOYMENT = {**JOB, "kind": "Deployment"}


async def test_webhooks_of_a_deployment_are_told_once_its_status_is_written():
    api = Api()
    notified = Notified(api)
    executor = Executor(api, Known(), None, notifier=notified)  # type: ignore[arg-type]
    status = {"phase": "Serving"}
    await run(executor, DEPLOYMENTS, DEPLOYMENT, Plan(status, events=(Event("Promoted", "m"),)))
    assert notified.told == [(status, "Promoted", ["status"])]


async def test_webhooks_are_not_told_of_what_could_not_be_written():
    api = Api()
    api.conflict = True
    notified = Notified(api)
    executor = Executor(api, Known(), None, notifier=notified)  # type: ignore[arg-type]
    with pytest.raises(KubeError):
        await run(executor, DEPLOYMENTS, DEPLOYMENT, Plan({}, events=(Event("Promoted", "m"),)))
    assert notified.told == []


async def test_other_objects_have_no_webhooks():
    api = Api()
    notified = Notified(api)
    executor = Executor(api, Known(), None, notifier=notified)  # type: ignore[arg-type]
    await run(executor, TRAINING_JOBS, JOB, Plan({"phase": "x"}, events=(Event("Run", "m"),)))
    assert notified.told == []


async def test_lineage_is_told_of_training_jobs_once_their_status_is_written():
    api = Api()
    told = Notified(api)
    executor = Executor(api, Known(), None, lineage=told)  # type: ignore[arg-type]
    event = Event("RunStarted", "m")
    await run(executor, DEPLOYMENTS, DEPLOYMENT, Plan({"phase": "Serving"}, events=(event,)))
    await run(executor, TRAINING_JOBS, JOB, Plan({"phase": "Pending"}, events=(event,)))
    ((status, reason, before),) = told.told
    assert (status, reason, before[-1]) == ({"phase": "Pending"}, "RunStarted", "status")


class Store:
    """Has hours, unless it is down."""

    def __init__(self, *, down: bool = False) -> None:
        self.down = down
        self.hours: list[KeepHour] = []
        self.kept_hours = self

    async def decide(self, *_: Any) -> None:
        if self.down:
            raise StoreError("file:///store does not answer")

    async def keep(self, hour: KeepHour) -> None:
        if self.down:
            raise StoreError("no answer")
        self.hours.append(hour)


HOUR = KeepHour("ml", "a", "a-v1", 500_000, b"counts")


@pytest.mark.parametrize("down", [False, True])
async def test_hours_are_kept_and_a_store_that_is_down_stops_nothing(down: bool):
    api, store = Api(), Store(down=down)
    executor = Executor(api, Known(), store)  # type: ignore[arg-type]
    await run(executor, TRAINING_JOBS, JOB, Plan({"phase": "x"}, (HOUR, Apply(child(a="1")))))
    assert store.hours == ([] if down else [HOUR])
    assert [kind for kind, _ in api.requests] == ["apply", "status"]


async def test_a_plan_that_waits_for_the_store_says_so_once():
    api, store = Api(), Store(down=True)
    executor = Executor(api, Known(), store)  # type: ignore[arg-type]
    plan = Plan({"phase": "Serving"}, (RecordDecision("ml", "m", "x", {}),))
    for _ in range(3):
        with pytest.raises(StoreError):
            await run(executor, TRAINING_JOBS, JOB, plan)
    ((_, event),) = api.requests
    assert (event["reason"], event["type"]) == ("StoreUnreachable", "Warning")
    store.down = False
    await run(executor, TRAINING_JOBS, JOB, plan)
    store.down = True
    with pytest.raises(StoreError):
        await run(executor, TRAINING_JOBS, JOB, plan)
    assert [kind for kind, _ in api.requests].count("create") == 2


async def test_what_may_be_refused_holds_nothing_up_and_is_told_once():
    api, clock = Api(), Clock()
    api.refuse = KubeError(403, "Forbidden", "exceeded quota")
    hands = executor(api, Known(), clock)
    plan = Plan({"phase": "x"}, afterwards=(Create(child()),))
    for clock.now in (0.0, 30.0, 61.0):
        await run(hands, TRAINING_JOBS, JOB, plan)
    kinds = [what if what != "create" else item["kind"] for what, item in api.requests]
    assert kinds == ["status", "ConfigMap", "Event", "status", "status", "ConfigMap"]
    assert "exceeded quota" in api.requests[2][1]["message"]


async def test_what_was_told_of_objects_that_are_gone_is_forgotten():
    api, store = Api(), Store(down=True)
    executor = Executor(api, Known(), store)  # type: ignore[arg-type]
    plan = Plan({"phase": "Serving"}, (RecordDecision("ml", "m", "x", {}),))
    for known in ({"u"}, set(), {"u"}):
        with pytest.raises(StoreError):
            await run(executor, TRAINING_JOBS, JOB, plan)
        executor.forget(known)
    assert [item["reason"] for _, item in api.requests] == 2 * ["StoreUnreachable"]
