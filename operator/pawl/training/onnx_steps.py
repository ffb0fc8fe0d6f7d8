"""ONNX forms of steps that skl2onnx has none of, or only in float32.

* `RoundToFloat32` is a cast; what follows sees the very numbers that scikit-learn saw.
* `SimpleImputer` in double (ONNX's own Imputer knows float32 only).
* Linear models in double: a float32 dot product of large inputs is off by more than 1e-5.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType
from sklearn import discriminant_analysis, linear_model
from sklearn.impute import SimpleImputer

from pawl.artifacts.rounding import RoundToFloat32
from pawl.errors import PawlError

_MAX_FLOAT32 = 3.4028234663852886e38
_LINEAR_CLASSIFIERS = (
    linear_model.LogisticRegression,
    linear_model.LogisticRegressionCV,
    discriminant_analysis.LinearDiscriminantAnalysis,
)
_LINEAR_REGRESSORS = (
    linear_model.ARDRegression,
    linear_model.BayesianRidge,
    linear_model.ElasticNet,
    linear_model.ElasticNetCV,
    linear_model.HuberRegressor,
    linear_model.Lars,
    linear_model.LarsCV,
    linear_model.Lasso,
    linear_model.LassoCV,
    linear_model.LassoLars,
    linear_model.LassoLarsCV,
    linear_model.LassoLarsIC,
    linear_model.LinearRegression,
    linear_model.OrthogonalMatchingPursuit,
    linear_model.OrthogonalMatchingPursuitCV,
    linear_model.QuantileRegressor,
    linear_model.Ridge,
    linear_model.RidgeCV,
    linear_model.SGDRegressor,
    linear_model.TheilSenRegressor,
)


class ConversionError(PawlError):
    """The pipeline has no ONNX form; the reason is a sentence."""

    reason = "NotConvertible"


@cache
def register() -> None:
    """Makes skl2onnx use the converters of this module."""
    steps: list[tuple[type[Any], Callable[[Any], None], Callable[[Any, Any, Any], None]]] = [
        (RoundToFloat32, _rounded_shape, _convert_rounding),
        (SimpleImputer, _imputed_shape, _convert_imputer),
    ]
    steps += [(kind, _number_shape, _convert_regressor) for kind in _LINEAR_REGRESSORS]
    for kind, shape, converter in steps:
        update_registered_converter(kind, f"Pawl{kind.__name__}", shape, converter, overwrite=True)
    for kind in _LINEAR_CLASSIFIERS:
        update_registered_converter(
            kind,
            f"Pawl{kind.__name__}",
            _class_shapes,
            _convert_classifier,
            overwrite=True,
            options={"zipmap": [True, False, "columns"], "nocl": [True, False]},
        )


class _Graph:
    """Adds nodes and constants under unique names."""

    def __init__(self, scope: Any, operator: Any, container: Any) -> None:
        self._scope, self._operator, self._container = scope, operator, container

    def add(self, op: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        """A node with one output; gives the output's name."""
        name = output or str(self._scope.get_unique_variable_name(f"pawl_{op.lower()}"))
        node = self._scope.get_unique_operator_name(f"Pawl{op}")
        self._container.add_node(op, inputs, name, name=node, **attributes)
        return name

    def constant(self, value: float | NDArray[np.float64]) -> str:
        """A double."""
        name = str(self._scope.get_unique_variable_name("pawl_constant"))
        flat = np.ravel(value).astype(np.float64).tolist()
        self._container.add_initializer(name, TensorProto.DOUBLE, np.shape(value), flat)
        return name

    def inputs(self) -> str:
        """The operator's inputs side by side."""
        names = [str(variable.full_name) for variable in self._operator.inputs]
        return names[0] if len(names) == 1 else self.add("Concat", names, axis=1)

    def output(self, index: int = 0) -> str:
        return str(self._operator.outputs[index].full_name)


def _columns(operator: Any) -> int | None:
    return sum(variable.type.shape[1] or 0 for variable in operator.inputs) or None


def _rounded_shape(operator: Any) -> None:
    operator.outputs[0].type = FloatTensorType([None, _columns(operator)])


def _convert_rounding(scope: Any, operator: Any, container: Any) -> None:
    """Clip to the range of float32 (a cast would give infinity), then cast."""
    graph = _Graph(scope, operator, container)
    values = graph.inputs()
    if not all(isinstance(variable.type, FloatTensorType) for variable in operator.inputs):
        limits = [graph.constant(sign * _MAX_FLOAT32) for sign in (-1, 1)]
        values = graph.add("Clip", [values, *limits])
    graph.add("Cast", [values], graph.output(), to=TensorProto.FLOAT)


def _imputed_shape(operator: Any) -> None:
    operator.outputs[0].type = DoubleTensorType([None, _columns(operator)])


def _convert_imputer(scope: Any, operator: Any, container: Any) -> None:
    """x where it is a number, else the column's statistic."""
    imputer = operator.raw_operator
    plain = isinstance(imputer.missing_values, float) and np.isnan(imputer.missing_values)
    if not plain or imputer.add_indicator or not imputer.keep_empty_features:
        raise ConversionError("no ONNX form of SimpleImputer with these parameters")
    graph = _Graph(scope, operator, container)
    values = graph.inputs()
    statistics = np.asarray(imputer.statistics_, dtype=np.float64)[None, :]
    fill = graph.constant(np.nan_to_num(statistics, nan=0.0))
    graph.add("Where", [graph.add("IsNaN", [values]), fill, values], graph.output())


def _linear(graph: _Graph, coefficients: Any, intercept: Any) -> str:
    """x·Wᵀ + b in double, [n, outputs]."""
    weights = np.atleast_2d(np.asarray(coefficients, dtype=np.float64))
    values = graph.add("Cast", [graph.inputs()], to=TensorProto.DOUBLE)
    bias = np.broadcast_to(np.asarray(intercept, dtype=np.float64), (len(weights),))
    product = graph.add("MatMul", [values, graph.constant(weights.T)])
    return graph.add("Add", [product, graph.constant(bias)])


def _number_shape(operator: Any) -> None:
    operator.outputs[0].type = DoubleTensorType([None, 1])


def _convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    graph = _Graph(scope, operator, container)
    model = operator.raw_operator
    values = _linear(graph, model.coef_, model.intercept_)
    graph.add("Identity", [values], graph.output())


def _class_shapes(operator: Any) -> None:
    classes = len(operator.raw_operator.classes_)
    operator.outputs[0].type = Int64TensorType([None])
    operator.outputs[1].type = DoubleTensorType([None, classes])


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Two classes: [1 − σ(d), σ(d)]; more: softmax(d) (scikit-learn's predict_proba)."""
    model = operator.raw_operator
    classes = np.asarray(model.classes_)
    one_against_rest = getattr(model, "solver", None) == "liblinear" and len(classes) > 2
    if one_against_rest or not np.array_equal(classes, np.arange(len(classes))):
        raise ConversionError(f"no ONNX form of {type(model).__name__} with these parameters")
    graph = _Graph(scope, operator, container)
    decision = _linear(graph, model.coef_, model.intercept_)
    if len(classes) == 2:
        positive = graph.add("Sigmoid", [decision])
        negative = graph.add("Sub", [graph.constant(np.ones(1)), positive])
        graph.add("Concat", [negative, positive], graph.output(1), axis=1)
    else:
        graph.add("Softmax", [decision], graph.output(1), axis=1)
    graph.add("ArgMax", [graph.output(1)], graph.output(0), axis=1, keepdims=0)
