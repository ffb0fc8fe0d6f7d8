"""A tracking server that is down, refuses, or is none: training goes on, and the gap is filled."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from mlflow_double import MlflowDouble, mlflow_double

from pawl.control import tracking
from pawl.control.elector import TermError
from pawl.control.mlflow import Mlflow, Run
from pawl.control.outside import Outside
from pawl.control.tracking import Tracker
from pawl.core.tracking import TrackingObserved

JOB: dict[str, Any] = {
    "kind": "TrainingJob",
    "metadata": {
        "name": "a", "namespace": "ml", "uid": "u", "creationTimestamp": "2026-11-21T12:00:00Z",
    },
    "spec": {
        "model": "churn",
        "data": {"uri": "s3://lake/x", "task": "binary", "target": "churned"},
        "trainer": {"sklearn": {"estimator": "x.Y"}},
    },
    "status": {
        "run": {
            "number": 1, "phase": "Failed", "recipeDigest": "sha256:" + "0" * 64,
            "startedAt": "2026-11-21T12:00:00Z", "finishedAt": "2026-11-21T12:01:00Z",
        }
    },
}  # fmt: skip


class Secrets:
    """The API server, with one Secret."""

    def __init__(self, **data: str) -> None:
        self.data = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}

    async def get(self, _resource: Any, _namespace: str, name: str) -> Any:
        return {"metadata": {"name": name}, "data": self.data}


@pytest.fixture
def server() -> Iterator[MlflowDouble]:
    with mlflow_double() as made:
        yield made


@pytest.fixture
def api() -> Secrets:
    return Secrets(username="pawl", password="x:y")


@pytest.fixture
async def outside(api: Secrets) -> AsyncIterator[Outside]:
    made = Outside(cast(Any, api), private=True)
    yield made
    await made.close()


def job(uri: str, **mlflow: str) -> dict[str, Any]:
    return {**JOB, "spec": {**JOB["spec"], "tracking": {"mlflow": {"uri": uri, **mlflow}}}}


class Watched:
    """A tracker, and what it says when it wakes."""

    def __init__(self, outside: Outside, **more: Any) -> None:
        self.woken = asyncio.Event()
        self.tracker = Tracker(outside, cast(Any, None), lambda _: self.woken.set(), **more)

    async def once(self, item: dict[str, Any]) -> TrackingObserved:
        """After one try."""
        self.woken.clear()
        assert self.tracker.look(item, ()) is not None
        async with asyncio.timeout(20):
            await self.woken.wait()
        found = self.tracker.look(item, ())
        assert found is not None
        return found


async def test_a_gap_is_told_and_filled(
    outside: Outside, server: MlflowDouble, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tracking, "_FIRST", 0.0)
    watched, item = Watched(outside), job(server.uri)
    server.down = True
    found = await watched.once(item)
    assert not found.written
    assert (found.reason, found.error) == ("MlflowUnavailable", "127.0.0.1: it answers 503")
    server.down = False
    assert (await watched.once(item)).written
    assert [run["status"] for run in server.runs()] == ["FAILED"]


async def test_the_next_try_waits_longer(outside: Outside, server: MlflowDouble):
    watched, item = Watched(outside), job(server.uri)
    server.down = True
    found = await watched.once(item)
    assert found.again is not None
    assert 4 < found.again <= 5
    asked = len(server.asked)
    watched.tracker.look(item, ())
    assert len(server.asked) == asked


@pytest.mark.parametrize(
    ("secret", "header"),
    [
        pytest.param({"token": "t0"}, "Bearer t0", id="token"),
        pytest.param({"username": "pawl", "password": "x:y"}, "Basic cGF3bDp4Onk=", id="username"),
    ],
)
async def test_credentials_are_those_of_the_secret(
    outside: Outside, api: Secrets, server: MlflowDouble, secret: dict[str, str], header: str
):
    api.data = Secrets(**secret).data
    await Watched(outside).once(job(server.uri, secretName="pawl-mlflow"))
    assert {authorization for _, authorization in server.asked} == {header}


async def test_a_secret_without_credentials_is_told(
    outside: Outside, api: Secrets, server: MlflowDouble
):
    api.data = {}
    found = await Watched(outside).once(job(server.uri, secretName="pawl-mlflow"))
    assert 'Secret "pawl-mlflow" must have a token' in found.error
    assert server.asked == []


async def test_what_is_no_mlflow_server_is_told(outside: Outside, server: MlflowDouble):
    found = await Watched(outside).once(job(f"{server.uri}/elsewhere"))
    assert found.reason == "MlflowRefused"
    assert "ENDPOINT_NOT_FOUND" in found.error


async def test_the_operators_own_machine_is_not_asked(server: MlflowDouble):
    outside = Outside(cast(Any, None))
    found = await Watched(outside).once(job(server.uri))
    assert found.reason == "MlflowAddressNotAllowed"
    assert server.asked == []
    await outside.close()


async def test_who_has_lost_the_lease_writes_nothing(outside: Outside, server: MlflowDouble):
    def may_write() -> None:
        raise TermError("over")

    found = await Watched(outside, may_write=may_write).once(job(server.uri))
    assert not found.written
    assert server.stored == {}


async def test_files_stay_where_they_are_when_the_server_takes_none(
    outside: Outside, server: MlflowDouble
):
    run = Run("1", "s3://somewhere/1/artifacts", False, {})
    assert not await Mlflow(outside, server.uri).artifact(run, "card.md", b"#")
    assert server.asked == []


async def test_what_is_gone_is_forgotten(outside: Outside, server: MlflowDouble):
    watched, item = Watched(outside), job(server.uri)
    assert (await watched.once(item)).written
    watched.tracker.forget({"another"})
    asked = len(server.asked)
    assert (await watched.once(item)).written
    assert len(server.asked) > asked
    assert len(server.runs()) == 1


async def test_without_tracking_nothing_is_looked_at(outside: Outside):
    assert Watched(outside).tracker.look(JOB, ()) is None
