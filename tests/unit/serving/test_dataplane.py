"""The server without a transport: a request's bytes in, an answer's bytes out."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from pawl.errors import SignatureError
from pawl.serving import counters as c
from pawl.serving.counters import Counters
from pawl.serving.dataplane import Dataplane
from pawl.serving.errors import EngineError, NotReadyError, NotServedError, OverloadedError
from pawl.serving.loading import load_once
from pawl.serving.monitor.monitor import Monitor
from pawl.serving.settings import Settings
from pawl.serving.supervisor import MonitorPart


@dataclass
class FakeReply:
    abandoned: bool = False
    bodies: list[bytes] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    started: float = 0.0
    request_id: bytes | None = None
    headers: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def request(self) -> FakeReply:
        return self

    def send(self, body: bytes) -> None:
        self.bodies.append(body)
        self.done.set()

    def fail(self, error: Exception) -> None:
        self.errors.append(error)
        self.done.set()

    async def message(self) -> dict[str, Any]:
        await asyncio.wait_for(self.done.wait(), 5)
        if self.errors:
            raise self.errors[0]
        (body,) = self.bodies
        message: dict[str, Any] = orjson.loads(body)
        return message


def infer(*rows: tuple[float | None, float], **more: Any) -> bytes:
    data = [value for row in rows for value in row]
    tensor = {"name": "input", "datatype": "FP64", "shape": [len(rows), 2], "data": data}
    return orjson.dumps({"inputs": [tensor], **more})


def installed(settings: Settings) -> Dataplane:
    dataplane = Dataplane(settings, Counters())
    dataplane.begin()
    dataplane.install(load_once(settings))
    return dataplane


async def test_rows_are_scored_and_labelled(bundles: Any) -> None:
    dataplane = installed(bundles.classifier())
    reply = FakeReply()
    dataplane.infer(infer((1, -1), (-50, 0), id="42"), reply)
    assert await reply.message() == {
        "model_name": "churn",
        "model_version": "7",
        "id": "42",
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [2], "data": ["yes", "no"]},
            {
                "name": "probabilities",
                "datatype": "FP64",
                "shape": [2, 2],
                "data": [0.5, 0.5, 1.0, pytest.approx(0, abs=1e-9)],
            },
        ],
    }


async def test_requests_that_are_scored_together_get_their_own_answers(bundles: Any) -> None:
    dataplane = installed(bundles.classifier())
    replies = [FakeReply() for _ in range(3)]
    for shift, reply in enumerate(replies):
        wanted = [{"name": "probabilities"}]
        dataplane.infer(infer((shift, 0), (0, -shift), outputs=wanted), reply)
    for shift, reply in enumerate(replies):
        (output,) = (await reply.message())["outputs"]
        high = 1 / (1 + np.exp(-np.array([shift, -shift])))
        np.testing.assert_allclose(output["data"][1::2], high)
    assert dataplane.counters.total(c.ROWS) == 6
    assert dataplane.counters.total(c.BATCH.sum_at) == 6


async def test_missing_values_reach_the_model_and_come_back_as_null(bundles: Any) -> None:
    dataplane = installed(bundles.classifier())
    reply = FakeReply()
    dataplane.infer(infer((None, 1.0)), reply)
    message = await reply.message()
    assert message["outputs"][0]["data"] == [None]
    assert message["outputs"][1]["data"] == [None, None]
    assert dataplane.counters.total(c.NON_FINITE) == 1


@pytest.fixture
def with_key(bundles: Any) -> Iterator[Callable[[], Dataplane]]:
    """Gives a dataplane that makes tokens and takes feedback."""
    settings = bundles.classifier(feedback_keys=(b"k" * 32,))
    with socket.socket() as listener:

        def make() -> Dataplane:
            counters = Counters()
            monitor = Monitor(settings, counters, MonitorPart(listener, 0.0))
            dataplane = Dataplane(settings, counters, monitor.recorder)
            served = load_once(settings)
            dataplane.install(served, *monitor.install(served.signature, served.baseline))
            return dataplane

        yield make


async def test_with_a_key_answers_carry_a_token_that_feedback_is_taken_for(with_key: Any) -> None:
    dataplane = with_key()
    reply = FakeReply()
    dataplane.infer(infer((1, -1), (-50, 0), parameters={"group": "a"}), reply)
    message = await reply.message()
    assert message["outputs"][0]["data"] == ["yes", "no"]
    entry = {"token": message["parameters"]["feedback"], "truth": ["yes", "yes"]}
    body = orjson.dumps({"feedback": [entry, entry]})
    assert orjson.loads(dataplane.feedback(body)) == {"accepted": 1, "repeated": 1, "expired": 0}


async def test_predictions_are_counted_by_the_group_of_their_request(bundles: Any) -> None:
    settings = bundles.classifier()
    with socket.socket() as listener:
        monitor = Monitor(settings, Counters(), MonitorPart(listener, 0.0))
        dataplane = Dataplane(settings, Counters(), monitor.recorder)
        served = load_once(settings)
        dataplane.install(served, *monitor.install(served.signature, served.baseline))
        reply = FakeReply()
        dataplane.infer(infer((1, -1), (-50, 0), parameters={"group": "a"}), reply)
        await reply.message()
        dataplane.metrics()
        assert monitor.steps is not None
        groups, _ = monitor.steps.groups(0, 2**40)
        assert groups == {"a": [2, 1]}


async def test_a_request_of_many_rows_gets_no_token(with_key: Any) -> None:
    dataplane = with_key()
    few, many = FakeReply(), FakeReply()
    dataplane.infer(infer(*[(1, 1)] * 64), few)
    dataplane.infer(infer(*[(1, 1)] * 65), many)
    assert "feedback" in (await few.message())["parameters"]
    assert "parameters" not in await many.message()


async def test_without_a_key_feedback_is_not_served(bundles: Any) -> None:
    dataplane = installed(bundles.classifier())
    with pytest.raises(NotServedError, match="no key"):
        dataplane.feedback(b"{}")


async def test_before_the_model_is_there_feedback_is_not_taken(bundles: Any) -> None:
    with pytest.raises(NotReadyError):
        Dataplane(bundles.classifier(), Counters()).feedback(b"{}")


async def test_what_does_not_fit_is_raised_and_not_queued(bundles: Any) -> None:
    dataplane = installed(bundles.classifier())
    with pytest.raises(SignatureError):
        dataplane.infer(b"{}", FakeReply())
    assert dataplane.counters.total(c.WAITING) == 0


async def test_when_enough_wait_a_request_is_not_even_read(bundles: Any) -> None:
    dataplane = installed(bundles.classifier(max_waiting=1))
    first = FakeReply()
    dataplane.infer(infer((1, 1)), first)
    with pytest.raises(OverloadedError):
        dataplane.infer(b"not even JSON", FakeReply())
    await first.message()


async def test_a_client_that_is_gone_gets_nothing(bundles: Any) -> None:
    dataplane = installed(bundles.classifier())
    gone, other = FakeReply(abandoned=True), FakeReply()
    dataplane.infer(infer((1, 1)), gone)
    dataplane.infer(infer((1, 1)), other)
    await other.message()
    assert gone.bodies == []
    assert dataplane.counters.total(c.ROWS) == 1


async def test_outputs_that_do_not_fit_are_an_error_of_the_model(bundles: Any) -> None:
    settings = bundles.classifier()
    served = load_once(settings)

    class Broken:
        name = "onnx"

        def run(self, feed: Any) -> Any:
            return {"probabilities": np.zeros((1, 3))}

    dataplane = Dataplane(settings, Counters())
    dataplane.install(replace(served, engine=Broken()))
    reply = FakeReply()
    dataplane.infer(infer((1, 1)), reply)
    with pytest.raises(EngineError):
        await reply.message()


async def test_before_the_model_is_there_it_is_alive_but_not_ready(bundles: Any) -> None:
    dataplane = Dataplane(bundles.classifier(), Counters())
    dataplane.begin()
    assert not dataplane.ready
    with pytest.raises(NotReadyError):
        dataplane.infer(infer((1, 1)), FakeReply())
    with pytest.raises(NotReadyError):
        dataplane.model_metadata()
    assert b"pawl_server_ready 0" in dataplane.metrics()


async def test_while_it_drains_it_answers_but_is_not_ready(bundles: Any) -> None:
    dataplane = installed(bundles.classifier())
    assert dataplane.ready
    dataplane.drain()
    assert not dataplane.ready
    reply = FakeReply()
    dataplane.infer(infer((1, 1)), reply)
    assert (await reply.message())["model_name"] == "churn"


async def test_metadata_describe_the_model(bundles: Any) -> None:
    dataplane = installed(bundles.classifier(threshold=0.3))
    assert orjson.loads(dataplane.server_metadata())["name"] == "pawl"
    metadata = orjson.loads(dataplane.model_metadata())
    assert metadata["name"] == "churn"
    assert metadata["versions"] == ["7"]
    assert metadata["inputs"][0] == {"name": "a", "datatype": "FP64", "shape": [-1]}
    assert metadata["outputs"][1] == {
        "name": "probabilities", "datatype": "FP64", "shape": [-1, 2],
    }  # fmt: skip
    assert metadata["parameters"] == {
        "layout": "tabular", "task": "binary", "classes": ["no", "yes"], "threshold": 0.3,
    }  # fmt: skip


@pytest.mark.parametrize(("model", "version"), [("other", None), ("churn", "8"), ("churn", "")])
def test_another_model_or_version_is_not_served(
    model: str, version: str | None, bundles: Any
) -> None:
    dataplane = Dataplane(bundles.classifier(), Counters())
    dataplane.check("churn", "7")
    dataplane.check("churn", None)
    with pytest.raises(NotServedError, match="not served here"):
        dataplane.check(model, version)


async def test_features_are_computed_and_what_was_sent_is_captured(bundles: Any) -> None:
    """Of requests that are scored together too."""
    derivation = {
        "inputs": [{"name": "p", "kind": "number"}, {"name": "q", "kind": "number"}],
        "definitions": [
            {"name": "a", "expression": "p + q"},
            {"name": "b", "expression": "p - q + fitted.mean(p)"},
        ],
        "fitted": {"mean(p)": 1.0},
    }
    plain = bundles.classifier()
    folder = Path(plain.artifact_uri.removeprefix("file://"))
    signature = orjson.loads((folder / "signature.json").read_bytes())
    signature["inputs"] = [{"name": name, "datatype": "FP64", "shape": [-1]} for name in ("p", "q")]
    files = {
        "model.onnx": (folder / "model.onnx").read_bytes(),
        "signature.json": orjson.dumps(signature),
        "derived.json": orjson.dumps(derivation),
    }
    captured: list[Any] = []

    class Capture:
        def answered(self, jobs: Any, tokens: Any, feed: Any, said: Any) -> None:
            captured.append(feed["numeric"].tolist())

    settings = bundles.settings(files)
    dataplane = Dataplane(settings, Counters())
    dataplane.begin()
    dataplane.install(load_once(settings), capture=Capture())  # type: ignore[arg-type]
    replies = [FakeReply(), FakeReply()]
    for reply, row in zip(replies, [(2, 3), (-50, 0)], strict=True):
        dataplane.infer(infer(row), reply)  # the matrix has p and q
    answers = [await reply.message() for reply in replies]
    # a + b is 2p + 1
    wanted = [1 / (1 + np.exp(-5.0)), 1 / (1 + np.exp(99.0))]
    for answer, score in zip(answers, wanted, strict=True):
        assert answer["outputs"][1]["data"][1] == pytest.approx(score, rel=1e-9)
    assert [row for feed in captured for row in feed] == [[2.0, 3.0], [-50.0, 0.0]]
