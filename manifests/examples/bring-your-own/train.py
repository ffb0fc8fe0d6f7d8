"""A trainer of one's own: it keeps Pawl's file contract and uses none of Pawl's code.

Reads $PAWL_DATA_DIR/{schema.json, train.parquet, validation.parquet} and $PAWL_PARAMETERS, fits a
logistic regression by gradient descent with early stopping on the validation rows, and writes
$PAWL_OUTPUT_DIR/model.onnx. Needs numpy, pyarrow and onnx. docs/file-contract.md says it all.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import onnx
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper

data = Path(os.environ["PAWL_DATA_DIR"])
output = Path(os.environ["PAWL_OUTPUT_DIR"])
parameters = json.loads(Path(os.environ["PAWL_PARAMETERS"]).read_text())
schema = json.loads((data / "schema.json").read_text())
rng = np.random.default_rng(int(os.environ["PAWL_SEED"]))

if schema["task"] != "binary":
    sys.exit(f"this trainer learns two classes, the task is {schema['task']}")
columns = [f["name"] for f in schema["features"] if f["kind"] != "categorical"]
if len(columns) < len(schema["features"]):
    sys.exit("this trainer takes numbers and flags, name text columns in data.ignore")


def read(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Features (missing is NaN) and the target: 1 is the positive class."""
    table = pq.read_table(data / f"{part}.parquet")
    x = np.column_stack([table.column(name).to_numpy() for name in columns])
    return x.astype(np.float64), table.column(schema["target"]).to_numpy()


def log_loss(w: np.ndarray, b: float, x: np.ndarray, y: np.ndarray) -> float:
    z = x @ w + b
    return float(np.mean(np.logaddexp(0, z) - y * z))


x, y = read("train")
x_val, y_val = read("validation")
mean, spread = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
spread[spread == 0] = 1.0
x, x_val = (np.nan_to_num((part - mean) / spread) for part in (x, x_val))

rate = float(parameters.get("learning_rate", 0.1))
patience = int(parameters.get("patience", 20))
w, b = rng.normal(0, 0.01, len(columns)), 0.0
best, best_loss, waited, epochs = (w, b), log_loss(w, b, x_val, y_val), 0, 0
while waited <= patience and epochs < int(parameters.get("epochs", 500)):
    epochs += 1
    error = 1 / (1 + np.exp(-(x @ w + b))) - y
    w, b = w - rate * (x.T @ error) / len(y), b - rate * float(error.mean())
    loss = log_loss(w, b, x_val, y_val)
    waited += 1
    if loss < best_loss - 1e-6:
        best, best_loss, waited = (w, b), loss, 0
w, b = best
print(json.dumps({"message": "fitted", "epochs": epochs, "validation_log_loss": best_loss}))

# (x − mean) / spread · w + b  =  x · scaled + (b − mean · scaled); a missing value is the mean.
scaled = w / spread
weights = {
    "mean": mean[None, :],
    "weights": scaled[:, None],
    "bias": np.array([b - mean @ scaled]),
    "one": np.array([1.0]),
}
nodes = [
    helper.make_node("IsNaN", ["numeric"], ["missing"]),
    helper.make_node("Where", ["missing", "mean", "numeric"], ["filled"]),
    helper.make_node("MatMul", ["filled", "weights"], ["product"]),
    helper.make_node("Add", ["product", "bias"], ["decision"]),
    helper.make_node("Sigmoid", ["decision"], ["positive"]),
    helper.make_node("Sub", ["one", "positive"], ["negative"]),
    helper.make_node("Concat", ["negative", "positive"], ["probabilities"], axis=1),
]
graph = helper.make_graph(
    nodes,
    "logistic-regression",
    [helper.make_tensor_value_info("numeric", TensorProto.DOUBLE, [None, len(columns)])],
    [helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, [None, 2])],
    [numpy_helper.from_array(value, name) for name, value in weights.items()],
)
model = helper.make_model(
    graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9, producer_name="my-trainer"
)
onnx.checker.check_model(model)
output.mkdir(parents=True, exist_ok=True)
(output / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
