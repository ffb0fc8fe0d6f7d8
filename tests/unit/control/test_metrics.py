"""What the operator does is counted where it does it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

import pytest

from pawl.control.events import tell
from pawl.control.kinds import DEPLOYMENTS
from pawl.control.kube import Kube, KubeError
from pawl.control.loop import Loop
from pawl.control.metrics import REGISTRY
from pawl.control.monitors import Monitors
from pawl.control.notify import MOST_WAITING, Notifier
from pawl.control.outside import RefusedError
from pawl.control.queue import Key, Queue
from pawl.control.records import Records
from pawl.control.reflector import Reflector
from pawl.core.installation import Images, Installation
from pawl.core.plan import Event, Plan
from pawl.errors import ConflictError, StoreError

KEY = Key("Deployment", "ml", "churn")
ITEM: dict[str, Any] = {
    "apiVersion": "pawl.dev/v1alpha1",
    "kind": "Deployment",
    "metadata": {"name": "churn", "namespace": "ml", "uid": "u", "resourceVersion": "1"},
    "spec": {"model": "churn", "notify": [{"webhook": "https://hooks.example/x"}]},
}


@contextmanager
def counts(name: str, by: float = 1, **labels: str) -> Iterator[None]:
    """That the block adds `by` to the sample."""
    full = f"pawl_operator_{name}"
    before = REGISTRY.get_sample_value(full, labels) or 0.0
    yield
    assert (REGISTRY.get_sample_value(full, labels) or 0.0) - before == by


class Known:
    """One object, and whatever is asked of it fails as told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def get(self, *_: Any) -> Any:
        return ITEM

    async def act(self, *_: Any) -> None:
        if self.error is not None:
            raise self.error

    async def tell(self, *_: Any) -> None:
        pass


async def reconcile(error: Exception | None) -> Queue:
    queue, known, unused = Queue(), Known(error), cast(Any, None)
    loop = Loop(queue, cast(Any, known), unused, cast(Any, known), unused)

    async def plan(_: Any) -> Plan:
        return Plan()

    loop._planners[KEY.kind] = plan
    queue.add(KEY)
    await loop.turn()
    return queue


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(KubeError(409, "Conflict", "m"), "Conflict", id="somebody wrote"),
        pytest.param(KubeError(500, "InternalError", "m"), "ApiServer", id="API server"),
        pytest.param(StoreError("m"), "Store", id="store"),
        pytest.param(ConflictError("m"), "Refused", id="refused"),
        pytest.param(KubeError(0, "NoAnswer", "reset"), "Network", id="network"),
        pytest.param(ZeroDivisionError(), "Defect", id="defect"),
    ],
)
async def test_a_reconcile_that_fails_is_counted_by_why(error: Exception, reason: str):
    with (
        counts("reconcile_errors_total", kind=KEY.kind, reason=reason),
        counts("queue_retries_total", kind=KEY.kind),
        counts("reconcile_duration_seconds_count", kind=KEY.kind),
    ):
        await reconcile(error)


async def test_a_reconcile_is_timed_and_not_put_back():
    with (
        counts("reconcile_duration_seconds_count", kind=KEY.kind),
        counts("queue_retries_total", by=0, kind=KEY.kind),
    ):
        await reconcile(None)


async def test_the_wait_for_a_worker_is_timed_once_a_key():
    queue = Queue()
    with counts("queue_wait_seconds_count"):
        queue.add(KEY)
        queue.add(KEY)
        await queue.get()


class Api:
    """The client's transport: answers, or does not."""

    def __init__(self, status: int | None, body: bytes = b"{}") -> None:
        self.status, self.body = status, body

    async def param_serialize(self, **asked: Any) -> tuple[Any, ...]:
        return asked["method"], asked["resource_path"], {}, None, None

    async def call_api(self, *_: Any, **__: Any) -> Any:
        if self.status is None:
            raise OSError("connection refused")
        return self

    @property
    def response(self) -> Any:
        return self

    @property
    def headers(self) -> dict[str, str]:
        return {}

    async def read(self) -> bytes:
        return self.body


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param(200, "200", id="answer"),
        pytest.param(404, "404", id="not found"),
        pytest.param(None, "error", id="no answer"),
    ],
)
async def test_requests_are_counted_by_verb_resource_and_code(status: int | None, code: str):
    kube = Kube(cast(Any, Api(status)))
    labels = {"verb": "get", "resource": "modeldeployments"}
    with (
        counts("api_requests_total", **labels, code=code),
        counts("api_request_duration_seconds_count", **labels),
        pytest.raises(KubeError) if status is None else nullcontext(),
    ):
        await kube.get(DEPLOYMENTS, "ml", "churn")


@pytest.mark.parametrize(
    ("code", "reason"),
    [pytest.param(410, "Expired", id="410"), pytest.param(500, "Failed", id="5")],
)
async def test_a_watch_that_breaks_is_counted(code: int, reason: str):
    class Server:
        lists = 0

        async def list(self, *_: Any) -> tuple[list[Any], str]:
            self.lists += 1
            if self.lists > 1:
                raise asyncio.CancelledError
            return [], "1"

        async def watch(self, *_: Any) -> Any:
            raise KubeError(code, "", "m")
            yield

    reflector = Reflector(cast(Any, Server()), DEPLOYMENTS, None, lambda *_: None)
    with (
        counts("watch_restarts_total", resource="modeldeployments", reason=reason),
        pytest.raises(asyncio.CancelledError),
    ):
        await reflector.run()


class Events:
    async def create(self, *_: Any) -> None:
        return None


async def test_events_are_counted_by_reason():
    with counts("events_total", kind="Deployment", reason="Promoted"):
        await tell(cast(Any, Events()), ITEM, Event("Promoted", "m"))


@pytest.mark.parametrize(
    ("error", "result"),
    [
        pytest.param(None, "delivered", id="delivered"),
        pytest.param(RefusedError("no"), "lost", id="refused"),
    ],
)
async def test_notifications_are_counted_by_what_became_of_them(
    error: Exception | None, result: str
):
    async def send(*_: Any) -> None:
        if error is not None:
            raise error

    notifier = Notifier(cast(Any, Events()), send)
    with counts("notifications_total", result=result):
        notifier.tell(ITEM, {}, Event("Promoted", "m"))
        await asyncio.gather(*(line.task for line in notifier._lines.values() if line.task))


async def test_a_notification_that_finds_no_room_is_lost():
    async def send(*_: Any) -> None:
        await asyncio.Event().wait()

    notifier = Notifier(cast(Any, Events()), send)
    with counts("notifications_total", result="lost"):
        for _ in range(MOST_WAITING + 1):
            notifier.tell(ITEM, {}, Event("Promoted", "m"))
    await notifier.close(seconds=0)


async def test_calls_of_the_store_are_timed_and_its_silence_is_counted(tmp_path: Path):
    images = Images("s", "k", "t", "r")
    store = tmp_path / "store"
    records = Records(Installation(id="t", store=store.as_uri(), images=images))
    with (
        counts("store_duration_seconds_count", operation="claims"),
        counts("store_errors_total", by=0, operation="claims"),
    ):
        await records.claims("ml", "churn", None)
    store.write_text("a file where a folder must be")
    with (
        counts("store_duration_seconds_count", operation="claim"),
        counts("store_errors_total", operation="claim"),
        pytest.raises(StoreError),
    ):
        await records.claim("ml", "churn", 1, "uid")
    records.close()


async def test_a_pod_that_does_not_answer_is_a_failed_poll():
    monitors = Monitors(port=9)
    pod = {"metadata": {"name": "p"}, "status": {"phase": "Running", "podIP": "127.0.0.1"}}
    with counts("polls_total", page="pairs", result="failed"):
        assert await monitors.pairs(7, [pod], 0, 1) == []
    await monitors.close()
