"""Small models and an in-memory client for the server's unit tests."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pawl.artifacts.bundle import write_bundle
from pawl.artifacts.records import Signature, Tensor
from pawl.artifacts.store import open_store
from pawl.serving.counters import Counters
from pawl.serving.http.connection import Connection
from pawl.serving.http.exchange import Exchange
from pawl.serving.http.server import HttpLimits, HttpServer
from pawl.serving.settings import Settings


def classifier_graph(columns: int) -> onnx.ModelProto:
    """p(class 1) = sigmoid(sum of the columns), as the tabular layout wants it."""
    nodes = [
        helper.make_node("ReduceSum", ["numeric", "axes"], ["sum"], keepdims=1),
        helper.make_node("Sigmoid", ["sum"], ["high"]),
        helper.make_node("Sub", ["one", "high"], ["low"]),
        helper.make_node("Concat", ["low", "high"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("numeric", TensorProto.DOUBLE, [None, columns])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, [None, 2]),
        ],
        [
            numpy_helper.from_array(np.array([1], dtype=np.int64), "axes"),
            numpy_helper.from_array(np.array([1.0]), "one"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def tensor_graph(operator: str, *, batch: int | None = None) -> onnx.ModelProto:
    """y = operator(x) for x float [batch, 2], as somebody else would export it."""
    graph = helper.make_graph(
        [
            helper.make_node(
                operator, ["x"], ["y"], **({"axis": 0} if operator == "Softmax" else {})
            )
        ],
        "imported",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 2])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def binary_signature(*columns: str, threshold: float | None = None) -> Signature:
    return Signature(
        task="binary",
        inputs=tuple(Tensor(name=name, datatype="FP64", shape=(-1,)) for name in columns),
        outputs=(
            Tensor(name="label", datatype="BYTES", shape=(-1,)),
            Tensor(name="probabilities", datatype="FP64", shape=(-1, 2)),
        ),
        numeric=columns,
        classes=("no", "yes"),
        threshold=threshold,
    )


class Bundles:
    """Writes bundles into a store in a folder and gives the settings of a server for them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def settings(self, files: dict[str, bytes], **changes: object) -> Settings:
        self._count += 1
        source = self._folder / f"source-{self._count}"
        source.mkdir()
        for name, content in files.items():
            (source / name).write_bytes(content)
        store = open_store((self._folder / "store").as_uri())
        uri, digest, _ = write_bundle(store, "team", "churn", source)
        values: dict[str, object] = {
            "model": "churn",
            "version": "7",
            "artifact_uri": uri,
            "artifact_digest": digest,
            "work_dir": self._folder / "work",
        }
        return Settings(**(values | changes))  # type: ignore[arg-type]

    def classifier(self, threshold: float | None = None, **changes: object) -> Settings:
        """The classifier over the columns a and b."""
        files = {
            "model.onnx": classifier_graph(2).SerializeToString(),
            "signature.json": binary_signature("a", "b", threshold=threshold)
            .model_dump_json(by_alias=True)
            .encode(),
        }
        return self.settings(files, **changes)


@pytest.fixture
def bundles(tmp_path: Path) -> Bundles:
    return Bundles(tmp_path)


@pytest.fixture
def graphs() -> dict[str, Callable[..., onnx.ModelProto]]:
    return {"classifier": classifier_graph, "tensor": tensor_graph}


@pytest.fixture
def signature() -> Callable[..., Signature]:
    return binary_signature


LIMITS = HttpLimits(max_body_bytes=1000, max_connections=2, request_timeout=30, keep_alive=75)


class FakeTransport(asyncio.Transport):
    """Remembers what was done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.eof = self.is_closed = self.aborted = False
        self.reading = True

    def write(self, data: Any) -> None:
        assert not self.is_closed
        self.sent += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof = True

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Client:
    """One connection whose requests are echoed, or kept when `hold` is set."""

    def __init__(self, server: HttpServer | None = None, *, hold: bool = False) -> None:
        self.requests: list[Exchange] = []
        self.counters = Counters()
        self.server = server or HttpServer(self._handle, self.counters, LIMITS)
        self._hold = hold
        self.transport = FakeTransport()
        self.connection = Connection(self.server)
        self.connection.connection_made(self.transport)

    def _handle(self, exchange: Exchange) -> None:
        self.requests.append(exchange)
        if not self._hold:
            self.echo(exchange)

    @staticmethod
    def echo(exchange: Exchange) -> None:
        exchange.respond(200, b"%s %s %s" % (exchange.method, exchange.path, exchange.body))

    def send(self, *pieces: bytes) -> bytes:
        """Sends the pieces; gives all that was answered so far."""
        for piece in pieces:
            self.connection.data_received(piece)
        return self.transport.sent

    @property
    def statuses(self) -> list[int]:
        return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.transport.sent)]


@pytest.fixture(scope="session")
def connect() -> type[Client]:
    """A new client for a new connection."""
    return Client
