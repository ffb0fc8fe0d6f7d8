"""A real server process over a bundle in a folder."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from pawl.artifacts.bundle import write_bundle
from pawl.artifacts.records import Baseline, NumericBaseline, Signature, Tensor
from pawl.artifacts.store import open_store

SIGNATURE = Signature(
    task="binary",
    inputs=tuple(Tensor(name=name, datatype="FP64", shape=(-1,)) for name in ("a", "b")),
    outputs=(
        Tensor(name="label", datatype="BOOL", shape=(-1,)),
        Tensor(name="probabilities", datatype="FP64", shape=(-1, 2)),
    ),
    numeric=("a", "b"),
    classes=(False, True),
)


def _bins(name: str, edge: float) -> NumericBaseline:
    return NumericBaseline(
        name=name,
        edges=(edge,),
        counts=(1, 1),
        fine_edges=(edge,),
        fine_counts=(1, 1),
        fine_sums=(edge, 2 * edge),
        minimum=edge,
        maximum=2 * edge,
        missing=0,
    )


BASELINE = Baseline(
    rows=2,
    numeric=(_bins("a", 5.0), _bins("b", 1.0)),
    prediction_rows=2,
    prediction=_bins("prediction", 0.5),
)


def _graph() -> bytes:
    """p(True) = sigmoid(a + b)."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceSum", ["numeric", "axes"], ["sum"], keepdims=1),
            helper.make_node("Sigmoid", ["sum"], ["high"]),
            helper.make_node("Sub", ["one", "high"], ["low"]),
            helper.make_node("Concat", ["low", "high"], ["probabilities"], axis=1),
        ],
        "classifier",
        [helper.make_tensor_value_info("numeric", TensorProto.DOUBLE, [None, 2])],
        [helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, [None, 2])],
        [
            numpy_helper.from_array(np.array([1], dtype=np.int64), "axes"),
            numpy_helper.from_array(np.array([1.0]), "one"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture(name="free_port")
def free_port_of_test() -> Callable[[], int]:
    return free_port


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """One `python -m pawl.serving`."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self.port = int(env["PORT"])
        self._log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pawl.serving"], env=env, stdout=out, stderr=out
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        connection: http.client.HTTPConnection | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        client = connection or self.connect()
        try:
            content = None if body is None else json.dumps(body)
            client.request(
                method, path, content, {"content-type": "application/json", **(headers or {})}
            )
            response = client.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            if connection is None:
                client.close()

    def infer(self, *row: float, **more: Any) -> Answer:
        tensor = {"name": "input", "datatype": "FP64", "shape": [1, 2], "data": list(row)}
        return self.ask("POST", "/v2/models/churn/infer", {"inputs": [tensor]}, **more)

    def status(self, path: str) -> int:
        """0 when nobody listens."""
        try:
            return self.ask("GET", path).status
        except OSError:
            return 0

    @staticmethod
    def until(condition: Callable[[], Any], *, seconds: float = 60.0) -> Any:
        """The first true value of `condition`."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{condition} did not hold within {seconds} s")
            time.sleep(0.01)
        return value

    def wait_ready(self) -> None:
        self.until(lambda: self.status("/v2/health/ready") == 200 or self._ended())

    def _ended(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"exit code {self.process.returncode}: {self.log}")
        return False

    def metric(self, sample: str) -> float:
        for line in self.ask("GET", "/metrics").body.decode().splitlines():
            if line.startswith(sample + " "):
                return float(line.rpartition(" ")[2])
        raise KeyError(sample)

    def stop(self, signal_: int = signal.SIGTERM) -> int:
        self.process.send_signal(signal_)
        return self.process.wait(20)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers of the same bundle; keyword arguments change their environment."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "model.onnx").write_bytes(_graph())
    (source / "signature.json").write_text(SIGNATURE.model_dump_json(by_alias=True))
    (source / "baseline.json").write_text(BASELINE.model_dump_json(by_alias=True))
    uri, digest, _ = write_bundle(open_store((tmp_path / "store").as_uri()), "t", "churn", source)
    servers: list[Server] = []

    def begin(*, ready: bool = True, **changes: str) -> Server:
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[3] / "operator"),
            "PAWL_MODEL": "churn",
            "PAWL_MODEL_VERSION": "7",
            "PAWL_ARTIFACT_URI": uri,
            "PAWL_ARTIFACT_DIGEST": digest,
            "PAWL_WORK_DIR": str(tmp_path / "work"),
            "PAWL_DRAIN_SECONDS": "0",
            "PORT": str(free_port()),
            **changes,
        }
        server = Server(env, tmp_path / f"server-{len(servers)}.log")
        servers.append(server)
        if ready:
            server.wait_ready()
        return server

    yield begin
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait(10)
