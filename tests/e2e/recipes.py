"""Data sets and specs that several end-to-end tests use."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

FEATURES = ("mean radius", "mean texture", "worst area")


def cancer() -> dict[str, Any]:
    """569 rows, binary, numbers only."""
    bunch = load_breast_cancer()
    names = [str(name) for name in bunch.feature_names]
    columns: dict[str, Any] = {"patient": [f"p{i}" for i in range(569)]}
    columns |= {name: bunch.data[:, names.index(name)] for name in FEATURES}
    return columns | {"diagnosis": [str(bunch.target_names[t]) for t in bunch.target]}


def mixed() -> dict[str, Any]:
    """1,500 rows, binary, numbers and categories with values missing."""
    rng = np.random.default_rng(3)
    n = 1500
    plan = rng.choice(["basic", "pro", "team"], n)
    monthly = rng.gamma(3, 20, n)
    tenure = rng.integers(0, 60, n).astype(float)
    score = 0.04 * monthly - 0.08 * tenure + 1.5 * (plan == "basic") + rng.normal(0, 1, n)
    plans: list[str | None] = [str(p) for p in plan]
    for i in rng.choice(n, 60, replace=False):
        plans[i] = None
    tenure[rng.choice(n, 80, replace=False)] = np.nan
    labels = ["yes" if s > np.median(score) else "no" for s in score]
    return {
        "customer": [f"c{i}" for i in range(n)],
        "plan": plans,
        "monthly": monthly,
        "tenure": tenure,
        "churned": labels,
    }


def iris() -> dict[str, Any]:
    """150 rows, three classes."""
    bunch = load_iris()
    names = ("sepal length", "sepal width", "petal length", "petal width")
    columns: dict[str, Any] = {n: bunch.data[:, i] for i, n in enumerate(names)}
    columns["flower"] = [f"f{i}" for i in range(150)]
    return columns | {"species": [str(bunch.target_names[t]) for t in bunch.target]}


def diabetes() -> dict[str, Any]:
    """442 rows, regression."""
    bunch = load_diabetes()
    columns: dict[str, Any] = {str(n): bunch.data[:, i] for i, n in enumerate(bunch.feature_names)}
    return columns | {"progression": bunch.target}


def sklearn_job(
    uri: str,
    estimator: str = "sklearn.linear_model.LogisticRegression",
    parameters: dict[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """A TrainingJob spec on `cancer()`."""
    trainer = {"estimator": estimator, "parameters": parameters or {}}
    return {
        "model": "cancer",
        "data": {
            "uri": uri,
            "task": "binary",
            "target": "diagnosis",
            "positiveLabel": "malignant",
            "idColumns": ["patient"],
        },
        "trainer": {"sklearn": trainer},
        "evaluation": {"metrics": ["roc_auc", "log_loss"]},
        **changes,
    }


_LOGISTIC = """
import json, os, pathlib
from onnx import TensorProto as T, helper, numpy_helper
import numpy as np

schema = json.loads((pathlib.Path(os.environ["PAWL_DATA_DIR"]) / "schema.json").read_text())
k = len(schema["features"])
graph = helper.make_graph(
    [
        helper.make_node("MatMul", ["numeric", "weights"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["positive"]),
        helper.make_node("Sub", ["one", "positive"], ["negative"]),
        helper.make_node("Concat", ["negative", "positive"], ["probabilities"], axis=1),
    ],
    "model",
    [helper.make_tensor_value_info("numeric", T.DOUBLE, [None, k])],
    [helper.make_tensor_value_info("probabilities", T.DOUBLE, [None, 2])],
    [
        numpy_helper.from_array(np.full((k, 1), WEIGHT), "weights"),
        numpy_helper.from_array(np.ones(1), "one"),
    ],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
out = pathlib.Path(os.environ["PAWL_OUTPUT_DIR"]) / "model.onnx"
out.write_bytes(model.SerializeToString())
"""


def logistic(weight: str) -> str:
    """The end of a container's `train`: a model of two classes in which every feature has this
    weight, an expression."""
    return _LOGISTIC.replace("WEIGHT", weight)
