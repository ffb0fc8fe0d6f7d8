"""Pipelines become graphs that answer alike, on real numbers, missing and unseen values."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris

from pawl.training.convert import to_onnx
from pawl.training.engines import OnnxEngine, SklearnEngine
from pawl.training.estimators import build
from pawl.training.features import Matrix
from pawl.training.onnx_steps import ConversionError
from pawl.training.parity import check, sample
from pawl.training.pipeline import build_pipeline
from pawl.training.workspace import Feature, Schema

CLASSIFIERS = {
    "ensemble.AdaBoostClassifier": {"n_estimators": 5},
    "ensemble.BaggingClassifier": {"n_estimators": 4},
    "ensemble.ExtraTreesClassifier": {"n_estimators": 10},
    "ensemble.GradientBoostingClassifier": {"n_estimators": 10},
    "ensemble.HistGradientBoostingClassifier": {"max_iter": 20, "min_samples_leaf": 5},
    "ensemble.RandomForestClassifier": {"n_estimators": 10},
    "linear_model.LogisticRegression": {},
    "discriminant_analysis.LinearDiscriminantAnalysis": {},
    "naive_bayes.GaussianNB": {"var_smoothing": 1e-3},
    "neural_network.MLPClassifier": {"hidden_layer_sizes": [8], "max_iter": 50},
    "tree.DecisionTreeClassifier": {},
}
REGRESSORS = {
    "ensemble.ExtraTreesRegressor": {"n_estimators": 10},
    "ensemble.GradientBoostingRegressor": {"n_estimators": 10},
    "ensemble.HistGradientBoostingRegressor": {"max_iter": 20},
    "ensemble.RandomForestRegressor": {"n_estimators": 10},
    "linear_model.ElasticNet": {},
    "linear_model.HuberRegressor": {"max_iter": 1000},
    "linear_model.Lasso": {},
    "linear_model.LinearRegression": {},
    "linear_model.Ridge": {},
    "svm.SVR": {},
    "tree.DecisionTreeRegressor": {},
}


def _data(task: Any, mixed: bool) -> tuple[Schema, Matrix, Any]:
    generator = np.random.default_rng(2)
    x, y = load_diabetes(return_X_y=True) if task == "regression" else load_iris(return_X_y=True)
    x = x * 1000 + 1e6  # large numbers that differ little, as money or times
    if task == "binary":
        y = (y == 2).astype(int)
    texts = np.empty((len(x), 0), dtype=object)
    if mixed:
        x[generator.random(x.shape) < 0.05] = np.nan
        texts = generator.choice(["a", "b", "", "ü, ö"], (len(x), 2)).astype(object)
    numeric, categorical = tuple(f"n{i}" for i in range(x.shape[1])), ("c0", "c1")[: 2 * mixed]
    schema = Schema(
        task=task,
        target="y",
        classes=() if task == "regression" else tuple(range(len(np.unique(y)))),
        features=(
            *(Feature(name=name, kind="numeric") for name in numeric),
            *(Feature(name=name, kind="categorical") for name in categorical),
        ),
    )
    return schema, Matrix(x, texts, numeric, tuple(categorical)), y


def _fitted(task: Any, name: str, parameters: dict[str, Any], mixed: bool) -> Any:
    schema, rows, y = _data(task, mixed)
    estimator = build(f"sklearn.{name}", parameters, task=task, seed=3)
    pipeline = build_pipeline(schema, estimator, "auto")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some have not converged: no matter here
        pipeline.fit(rows.frame(), y)
    return schema, rows, pipeline


CASES = [
    *(("binary", name, p) for name, p in CLASSIFIERS.items()),
    *(("multiclass", name, p) for name, p in CLASSIFIERS.items()),
    *(("regression", name, p) for name, p in REGRESSORS.items()),
]


@pytest.mark.parametrize("mixed", [False, True], ids=["numbers", "mixed"])
@pytest.mark.parametrize(("task", "name", "parameters"), CASES)
def test_the_graph_answers_like_the_pipeline(
    task: Any, name: str, parameters: dict[str, Any], mixed: bool
) -> None:
    schema, rows, pipeline = _fitted(task, name, parameters, mixed)
    classes = len(schema.classes)
    graph = OnnxEngine(
        to_onnx(pipeline, len(schema.numeric), len(schema.categorical), task), task, classes
    )
    reference = SklearnEngine(pipeline, task, classes)
    found = check(reference, graph, sample([rows], 0), task, 0.5)
    assert found.holds, found.sentence(task)


@pytest.mark.parametrize("name", ["RandomForestClassifier", "HistGradientBoostingClassifier"])
def test_the_operator_sets_are_in_one_order(name: str) -> None:
    """So the bytes of the graph, and the digest, do not change between processes."""
    import onnx

    schema, _, pipeline = _fitted("binary", f"ensemble.{name}", {}, False)
    made = to_onnx(pipeline, len(schema.numeric), len(schema.categorical), "binary")
    domains = [opset.domain for opset in onnx.load_model_from_string(made).opset_import]
    assert domains == ["", "ai.onnx.ml"]


def test_the_graph_has_the_inputs_and_outputs_of_the_signature() -> None:
    import onnx

    for task, outputs in (("binary", ["label", "probabilities"]), ("regression", ["prediction"])):
        name = "linear_model." + ("Ridge" if task == "regression" else "LogisticRegression")
        schema, _, pipeline = _fitted(task, name, {}, True)
        graph = onnx.load_model_from_string(
            to_onnx(pipeline, len(schema.numeric), len(schema.categorical), task)  # type: ignore[arg-type]
        ).graph
        kinds = {value.name: value.type.tensor_type.elem_type for value in graph.input}
        assert kinds == {
            "numeric": onnx.TensorProto.DOUBLE,
            "categorical": onnx.TensorProto.STRING,
        }
        assert [value.name for value in graph.output] == outputs


def test_what_has_no_graph_says_so() -> None:
    name = "semi_supervised.LabelPropagation"
    schema, _, pipeline = _fitted("binary", name, {"kernel": "knn"}, False)
    with pytest.raises(ConversionError, match="no ONNX form"):
        to_onnx(pipeline, len(schema.numeric), 0, "binary")


def test_a_pipeline_without_preprocessing_refuses_texts() -> None:
    from pawl.errors import UserError

    schema, _, _ = _data("binary", True)
    estimator = build("sklearn.tree.DecisionTreeClassifier", {}, task="binary", seed=0)
    with pytest.raises(UserError, match='feature "c0" is text; use preprocessing auto'):
        build_pipeline(schema, estimator, "none")
