"""PyTorch DDP on CPUs: every worker of a TrainingJob with `workers` runs this.

A small perceptron; gradients are averaged over the workers (gloo), each of which has its share of
the rows. Worker 0 writes $PAWL_OUTPUT_DIR/model.onnx. With PAWL_CHECKPOINT_DIR it goes on where an
earlier attempt was interrupted. Needs torch, numpy, pyarrow and onnx; docs/file-contract.md says
the rest.
"""

import json
import os
import signal
import socket
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import onnx
import pyarrow.parquet as pq
import torch
import torch.distributed as dist
from onnx import TensorProto, helper, numpy_helper
from torch.nn.parallel import DistributedDataParallel

rank, workers = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
data = Path(os.environ["PAWL_DATA_DIR"])
parameters = json.loads(Path(os.environ["PAWL_PARAMETERS"]).read_text())
schema = json.loads((data / "schema.json").read_text())
columns = [f["name"] for f in schema["features"] if f["kind"] != "categorical"]
if schema["task"] != "binary" or len(columns) < len(schema["features"]):
    sys.exit("this trainer takes numbers and learns two classes")


def address(name: str) -> str:
    """Of worker 0, whose name is there as soon as its pod has an address."""
    deadline = time.monotonic() + 120
    while True:
        try:
            return socket.gethostbyname(name)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def part(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Features (missing is NaN) and the target: 1 is the positive class."""
    table = pq.read_table(data / f"{name}.parquet")
    x = np.column_stack([table.column(c).to_numpy(zero_copy_only=False) for c in columns])
    y = table.column(schema["target"]).to_numpy()
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


torch.manual_seed(int(os.environ["PAWL_SEED"]))
os.environ["MASTER_ADDR"] = address(os.environ["MASTER_ADDR"])
dist.init_process_group("gloo", timeout=timedelta(seconds=120))
x, y = part("train")
mean = torch.nan_to_num(torch.nanmean(x, dim=0))
filled = torch.where(torch.isnan(x), mean, x)
spread = filled.std(dim=0).clamp_min(1e-6)
own = slice(rank, None, workers)
x, y = ((filled - mean) / spread)[own], y[own]

width = int(parameters.get("width", 16))
net = torch.nn.Sequential(
    torch.nn.Linear(len(columns), width), torch.nn.ReLU(), torch.nn.Linear(width, 1)
)
model = DistributedDataParallel(net)
optimizer = torch.optim.Adam(model.parameters(), lr=float(parameters.get("learning_rate", 0.01)))
kept = (
    Path(os.environ["PAWL_CHECKPOINT_DIR"]) / "last.pt"
    if "PAWL_CHECKPOINT_DIR" in os.environ
    else None
)
epoch, epochs = 0, int(parameters.get("epochs", 100))
if kept is not None and kept.exists():
    saved = torch.load(kept, weights_only=True)
    net.load_state_dict(saved["net"])
    optimizer.load_state_dict(saved["optimizer"])
    epoch = saved["epoch"]


def keep() -> None:
    """A checkpoint, whole or not at all."""
    if kept is None or rank:
        return
    state = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
    torch.save(state, kept.with_suffix(".part"))
    kept.with_suffix(".part").replace(kept)


stopping = torch.zeros(1)
signal.signal(signal.SIGTERM, lambda *_: stopping.fill_(1))
while epoch < epochs:
    optimizer.zero_grad()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(model(x).squeeze(1), y)
    loss.backward()
    optimizer.step()
    epoch += 1
    asked = stopping.clone()
    dist.all_reduce(asked)  # all stop after the same step
    if asked.item():
        keep()
        sys.exit(143)
    if epoch % 10 == 0:
        keep()
        print(json.dumps({"pawl": "progress", "percent": 100 * epoch / epochs}), flush=True)
dist.barrier()
dist.destroy_process_group()
print(json.dumps({"message": "fitted", "rank": rank, "rows": len(y), "loss": loss.item()}))
if rank:
    sys.exit(0)

hidden, out = net[0], net[2]
weights = {
    "mean": mean[None, :].double(),
    "spread": spread[None, :].double(),
    "w1": hidden.weight.T.double(),
    "b1": hidden.bias.double(),
    "w2": out.weight.T.double(),
    "b2": out.bias.double(),
    "one": torch.ones(1, dtype=torch.float64),
}
nodes = [
    helper.make_node("IsNaN", ["numeric"], ["missing"]),
    helper.make_node("Where", ["missing", "mean", "numeric"], ["filled"]),
    helper.make_node("Sub", ["filled", "mean"], ["centred"]),
    helper.make_node("Div", ["centred", "spread"], ["scaled"]),
    helper.make_node("MatMul", ["scaled", "w1"], ["product"]),
    helper.make_node("Add", ["product", "b1"], ["sum"]),
    helper.make_node("Relu", ["sum"], ["hidden"]),
    helper.make_node("MatMul", ["hidden", "w2"], ["last"]),
    helper.make_node("Add", ["last", "b2"], ["decision"]),
    helper.make_node("Sigmoid", ["decision"], ["positive"]),
    helper.make_node("Sub", ["one", "positive"], ["negative"]),
    helper.make_node("Concat", ["negative", "positive"], ["probabilities"], axis=1),
]
graph = helper.make_graph(
    nodes,
    "perceptron",
    [helper.make_tensor_value_info("numeric", TensorProto.DOUBLE, [None, len(columns)])],
    [helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, [None, 2])],
    [numpy_helper.from_array(w.detach().numpy(), name) for name, w in weights.items()],
)
made = helper.make_model(
    graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9, producer_name="ddp"
)
onnx.checker.check_model(made)
(Path(os.environ["PAWL_OUTPUT_DIR"]) / "model.onnx").write_bytes(made.SerializeToString())
