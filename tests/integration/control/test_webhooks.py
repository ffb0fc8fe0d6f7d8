"""Notifications over HTTP, to a receiver on this machine."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any, cast

import orjson
import pytest
from aiohttp import web

from pawl.control.cloudevents import Message
from pawl.control.kube import KubeError
from pawl.control.notify import Notifier
from pawl.control.outside import Outside, RefusedError, UnavailableError
from pawl.control.webhooks import Target, Webhooks
from pawl.core.plan import Event
from pawl.errors import NotAllowedError

KEY = b"k" * 32
WRITTEN = b"whsec_" + base64.b64encode(KEY)


class Receiver:
    """Answers with the statuses it is told to, then with 204, and keeps what it got."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.got.append((dict(request.headers), await request.read()))
        status = self.statuses.pop(0) if self.statuses else 204
        place = {"location": f"{self.url}/elsewhere"} if status in (302, 308) else {}
        return web.Response(status=status, headers=place)


class Api:
    """The Secret and the events of one namespace."""

    def __init__(self) -> None:
        self.key: bytes | None = WRITTEN
        self.refuse: KubeError | None = None
        self.events: list[str] = []

    async def get(self, _: Any, namespace: str, name: str) -> dict[str, Any] | None:
        if self.refuse is not None:
            raise self.refuse
        if self.key is None:
            return None
        return {"metadata": {"name": name}, "data": {"key": base64.b64encode(self.key).decode()}}

    async def create(self, _: Any, item: Any) -> None:
        self.events.append(f"{item['reason']}: {item['message']}")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}"
    yield made
    await runner.cleanup()


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
async def webhooks(api: Api) -> AsyncIterator[Webhooks]:
    outside = Outside(cast(Any, api), private=True)
    yield Webhooks(outside)
    await outside.close()


async def notified(api: Api, webhooks: Webhooks, receiver: Receiver) -> None:
    """One event is told to the end; pauses take no time."""

    async def pause(_: asyncio.Event, seconds: float) -> None:
        await asyncio.sleep(0)

    notifier = Notifier(cast(Any, api), webhooks.send, pause=pause)
    item = {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": "churn", "namespace": "ml", "uid": "u", "resourceVersion": "1"},
        "spec": {
            "model": "churn",
            "notify": [{"webhook": f"{receiver.url}/hook", "secretName": "pawl-notify"}],
        },
    }
    notifier.tell(item, {}, Event("Drifted", "age psi 0.4 > 0.2", "Warning"))
    (line,) = notifier._lines.values()
    assert line.task is not None
    await asyncio.wait_for(line.task, 30)


async def test_a_receiver_that_fails_twice_gets_it_signed(
    api: Api, webhooks: Webhooks, receiver: Receiver
):
    receiver.statuses = [500, 429]
    await notified(api, webhooks, receiver)
    assert len(receiver.got) == 3
    assert len({sent["webhook-id"] for sent, _ in receiver.got}) == 1
    for sent, body in receiver.got:
        signed = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + body
        digest = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        assert sent["webhook-signature"] == f"v1,{digest}"
        assert sent["Content-Type"] == "application/cloudevents+json"
    event = orjson.loads(receiver.got[-1][1])
    assert event["id"] == receiver.got[-1][0]["webhook-id"]
    assert event["data"]["message"] == "age psi 0.4 > 0.2"
    assert api.events == []


@pytest.mark.parametrize(
    ("key", "refuse", "said"),
    [
        pytest.param(None, None, 'Secret "pawl-notify" does not exist', id="missing"),
        pytest.param(b"short", None, 'Secret "pawl-notify": its key must be', id="no key"),
        pytest.param(
            WRITTEN, KubeError(403, "Forbidden", "no"), "the operator may not read", id="forbidden"
        ),
    ],
)
async def test_a_secret_that_cannot_be_used_is_told(
    api: Api,
    webhooks: Webhooks,
    receiver: Receiver,
    key: bytes | None,
    refuse: KubeError | None,
    said: str,
):
    api.key, api.refuse = key, refuse
    await notified(api, webhooks, receiver)
    assert receiver.got == []
    (event,) = api.events
    assert event.startswith("NotifyFailed: 1 notification was not delivered to 127.0.0.1: ")
    assert said in event


def target(url: str) -> Target:
    return Target("ml", "churn", url, None)


@pytest.mark.parametrize("status", [302, 308, 404, 410])
async def test_redirects_are_not_followed_and_refusals_not_repeated(
    webhooks: Webhooks, receiver: Receiver, status: int
):
    receiver.statuses = [status]
    with pytest.raises(RefusedError, match=str(status)):
        await webhooks.send(target(receiver.url), Message("a", b"{}"))
    assert len(receiver.got) == 1


async def test_an_endless_answer_is_not_read(webhooks: Webhooks):
    """The receiver would send for ever; the status is enough."""
    ended = asyncio.Event()

    async def pour(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        finally:
            ended.set()

    app = web.Application()
    app.router.add_post("/", pour)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    await webhooks.send(target(f"http://{host}:{port}/"), Message("a", b"{}"))
    await asyncio.wait_for(ended.wait(), 10)
    await runner.cleanup()


async def test_a_port_that_nobody_listens_at_may_be_tried_again(webhooks: Webhooks):
    with pytest.raises(UnavailableError, match="cannot be connected to"):
        await webhooks.send(target("http://127.0.0.1:1/"), Message("a", b"{}"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254"])
async def test_the_operators_own_machine_is_not_asked(api: Api, receiver: Receiver, host: str):
    port = receiver.url.rsplit(":", 1)[1]
    closed = Outside(cast(Any, api))
    with pytest.raises(NotAllowedError):
        await Webhooks(closed).send(target(f"http://{host}:{port}/"), Message("a", b"{}"))
    await closed.close()
    assert receiver.got == []
