"""A trainer of several workers with nothing but sockets: a logistic regression whose gradients are
summed by worker 0. Workers meet by the variables of torchrun. In the first attempt worker 1 fails
when the parameter `stumble` says so, and all take their time when `linger` does."""

import json
import os
import pathlib
import socket
import sys
import time

import numpy as np
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper

rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
assert os.environ["JAX_PROCESS_ID"] == os.environ["DMLC_TASK_ID"] == os.environ["RANK"]
parameters = json.loads(pathlib.Path(os.environ["PAWL_PARAMETERS"]).read_text())
data = pathlib.Path(os.environ["PAWL_DATA_DIR"])
schema = json.loads((data / "schema.json").read_text())
columns = [feature["name"] for feature in schema["features"]]


def meeting() -> tuple[str, int]:
    """Worker 0 by its name, which exists as soon as its pod has an address."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.gethostbyname(os.environ["MASTER_ADDR"]), int(os.environ["MASTER_PORT"])
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def connect() -> list[socket.socket]:
    """Of worker 0 to all others, of these to worker 0."""
    if rank == 0:
        server = socket.create_server(meeting(), backlog=world)
        server.settimeout(60)
        return [server.accept()[0] for _ in range(world - 1)]
    deadline = time.monotonic() + 60
    while True:
        try:
            return [socket.create_connection(meeting(), timeout=5)]
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def receive(peer: socket.socket) -> np.ndarray:
    parts, missing = [], 8 * (len(columns) + 2)
    while missing:
        part = peer.recv(missing)
        if not part:
            sys.exit("a peer is gone")
        parts.append(part)
        missing -= len(part)
    return np.frombuffer(b"".join(parts))


def allreduce(values: np.ndarray) -> np.ndarray:
    """The sum over all workers."""
    if rank == 0:
        total = sum((receive(peer) for peer in peers), values)
        for peer in peers:
            peer.sendall(total.tobytes())
        return total
    peers[0].sendall(values.tobytes())
    return receive(peers[0])


table = pq.read_table(data / "train.parquet")
x = np.column_stack([table.column(name).to_numpy() for name in columns])
y = table.column(schema["target"]).to_numpy()
mean, spread = x.mean(axis=0), x.std(axis=0)
mine = slice(rank, None, world)
own_x, own_y = (x[mine] - mean) / spread, y[mine]
peers = connect()
for peer in peers:
    peer.settimeout(60)
first = "-a" not in socket.gethostname() and "-a" not in os.environ.get("HOSTNAME", "")
if parameters.get("stumble") and rank == 1 and first:
    sys.exit("stumbled")
w, b, rows = np.zeros(len(columns)), 0.0, 0.0
for _ in range(200):
    error = 1 / (1 + np.exp(-(own_x @ w + b))) - own_y
    *slope, shift, rows = allreduce(np.array([*(own_x.T @ error), error.sum(), float(len(own_y))]))
    time.sleep(0.2 if parameters.get("linger") and first else 0)
    w, b = w - np.array(slope) / rows, b - shift / rows
print(json.dumps({"rank": rank, "own": len(own_y), "rows": int(rows)}), flush=True)

nodes = [
    helper.make_node("Sub", ["numeric", "mean"], ["centred"]),
    helper.make_node("Div", ["centred", "spread"], ["scaled"]),
    helper.make_node("MatMul", ["scaled", "weights"], ["product"]),
    helper.make_node("Add", ["product", "bias"], ["decision"]),
    helper.make_node("Sigmoid", ["decision"], ["positive"]),
    helper.make_node("Sub", ["one", "positive"], ["negative"]),
    helper.make_node("Concat", ["negative", "positive"], ["probabilities"], axis=1),
]
weights = {"mean": mean, "spread": spread, "weights": w[:, None], "bias": [b], "one": [1.0]}
graph = helper.make_graph(
    nodes,
    "allreduce",
    [helper.make_tensor_value_info("numeric", TensorProto.DOUBLE, [None, len(columns)])],
    [helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, [None, 2])],
    [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
)
opset = [helper.make_opsetid("", 18)]
model = helper.make_model(graph, opset_imports=opset, ir_version=9)
path = pathlib.Path(os.environ["PAWL_OUTPUT_DIR"]) / "model.onnx"
path.write_bytes(model.SerializeToString())
