"""Notifications of a real rollout, to a receiver on this machine."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import recipes
from clusters import Cluster
from harness import Space, eventually

KEY = b"k" * 32


class Receiver(ThreadingHTTPServer):
    """Keeps what it got; the first request fails."""

    def __init__(self, host: str) -> None:
        super().__init__((host, 0), Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(503 if len(self.server.got) == 1 else 204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Not needed."""


@pytest.fixture
def receiver(cluster: Cluster) -> Iterator[Receiver]:
    with Receiver(cluster.host) as made:
        threading.Thread(target=made.serve_forever).start()
        yield made
        made.shutdown()


def test_a_webhook_is_told_signed_and_again_when_it_failed(space: Space, receiver: Receiver):
    space.cluster.kubectl(
        "create", "secret", "generic", "pawl-notify", "-n", space.name,
        f"--from-literal=key=whsec_{base64.b64encode(KEY).decode()}",
    )  # fmt: skip
    hook = {
        "webhook": f"http://{space.cluster.host}:{receiver.server_port}/hook",
        "events": ["Promoted"],
    }
    lost = {**hook, "secretName": "nowhere"}
    notify = [{**hook, "secretName": "pawl-notify"}, lost]
    uri = space.put("cancer.parquet", recipes.cancer())
    space.create("TrainingJob", "job", recipes.sklearn_job(uri))
    space.create("Deployment", "cancer", {"model": "cancer", "notify": notify})
    space.serving("cancer", space.trained("job"))
    eventually(lambda: len(receiver.got) == 2, lambda: f"two tries, not {receiver.got}")
    (first, _), (again, body) = receiver.got
    assert first["webhook-id"] == again["webhook-id"]
    signed = f"{again['webhook-id']}.{again['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert again["webhook-signature"] == f"v1,{digest}"
    event = json.loads(body)
    assert event["type"] == "dev.pawl.promoted"
    assert event["data"]["stable"] == "cancer-v1"
    said = space.told("cancer", "NotifyFailed")
    assert 'the operator may not read Secret "nowhere"' in said
