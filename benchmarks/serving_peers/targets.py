"""How each server is started, and what it is asked: the same row of 30 floats, each in the words
of the server's own protocol. One process each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving_peers import venvs
from benchmarks.serving_peers.venvs import PeerError

HERE = Path(__file__).parent
Row = list[float]


@dataclass(frozen=True)
class Target:
    """A server that can be started: its command, its path for predictions, and a request."""

    name: str
    command: list[str]
    path: str
    body: bytes
    env: dict[str, str] = field(default_factory=dict)
    cwd: Path | None = None


def v2(row: Row, **more: object) -> bytes:
    """A request of the Open Inference Protocol."""
    tensor = {"name": "input", "datatype": "FP64", "shape": [1, len(row)], "data": row}
    return json.dumps({"inputs": [tensor], **more}).encode()


def bare(model: Path, port: int, row: Row) -> Target:
    """Raw ASGI on uvicorn with onnxruntime."""
    command = [
        sys.executable, "-m", "uvicorn", "benchmarks.serving_peers.bare:app", "--port", str(port),
        "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
    ]  # fmt: skip
    env = {"BARE_MODEL": str(model)}
    return Target("bare uvicorn", command, "/", v2(row), env, HERE.parents[1])


def pawl(env: dict[str, str], port: int, row: Row) -> Target:
    """Pawl's server as a pod runs it: validation, metrics and batching on."""
    path = f"/v2/models/{env['PAWL_MODEL']}/infer"
    env = {**env, "PORT": str(port)}
    return Target("pawl", [sys.executable, "-m", "pawl.serving"], path, v2(row), env)


def mlserver(python: Path, model: Path, port: int, row: Row) -> Target:
    """MLServer with its scikit-learn runtime."""
    folder = model.with_suffix(".mlserver")
    folder.mkdir()
    (folder / "settings.json").write_text(
        json.dumps(
            {
                "http_port": port,
                "grpc_port": port + 1,
                "metrics_port": port + 2,
                "parallel_workers": 0,
                "debug": False,
            }
        )
    )
    (folder / "model-settings.json").write_text(
        json.dumps(
            {
                "name": "bench",
                "implementation": "mlserver_sklearn.SKLearnModel",
                "parameters": {"uri": str(model)},
            }
        )
    )
    command = [str(python.with_name("mlserver")), "start", str(folder)]
    body = v2(row, outputs=[{"name": "predict_proba"}])
    return Target("MLServer", command, "/v2/models/bench/infer", body)


def kserve(python: Path, model: Path, port: int, row: Row) -> Target:
    """KServe's Python server with a custom model."""
    command = [str(python), str(HERE / "kserve_server.py"), str(model), "--http_port", str(port)]
    # Without an id of the request it fails to make its answer.
    return Target("KServe", command, "/v2/models/bench/infer", v2(row, id="1"))


def bentoml(python: Path, model: Path, port: int, row: Row) -> Target:
    """A BentoML service."""
    command = [
        str(python), "-m", "bentoml", "serve", "bento_service:Bench",
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    env = {
        "BENCH_MODEL": str(model),
        "BENTOML_DO_NOT_TRACK": "true",
        "BENTOML_HOME": str(model.parent),
    }
    body = json.dumps({"rows": [row]}).encode()
    return Target("BentoML", command, "/predict", body, env, HERE)


def mlflow(python: Path, model: Path, port: int, row: Row) -> Target:
    """mlflow models serve."""
    folder = model.with_suffix(".mlflow")
    made = subprocess.run(
        [str(python), str(HERE / "mlflow_model.py"), str(model), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if made.returncode:
        raise PeerError(f"saving failed: {made.stderr.strip().splitlines()[-1][:300]}")
    command = [
        str(python), "-m", "mlflow", "models", "serve", "-m", str(folder), "-p", str(port),
        "--env-manager", "local", "--workers", "1",
    ]  # fmt: skip
    # It starts uvicorn by name.
    env = {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    return Target(
        "mlflow", command, "/invocations", json.dumps({"inputs": [row]}).encode(), env, model.parent
    )


PEERS: dict[str, Callable[[Path, Path, int, Row], Target]] = {
    "mlserver": mlserver,
    "kserve": kserve,
    "bentoml": bentoml,
    "mlflow": mlflow,
}


def peer(name: str, kind: str, folder: Path, port: int, row: Row) -> tuple[Target, float]:
    """A peer with a model that its own environment trained, and the probability that it must give
    for `row`. PeerError when it cannot be had."""
    interpreter = venvs.python(name)
    model = folder / f"{name}-{kind}.joblib"
    made = subprocess.run(
        [str(interpreter), str(HERE / "model.py"), str(model), kind],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if made.returncode:
        raise PeerError(f"training failed: {made.stderr.strip().splitlines()[-1][:300]}")
    return PEERS[name](interpreter, model, port, row), float(made.stdout.split()[-1])
