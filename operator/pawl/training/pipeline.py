"""The pipeline around an estimator: columns → numbers → estimator.

`auto`: numbers are imputed by the median (unless the estimator learns from missing values itself)
and standardised, categories are one-hot encoded with a missing value as a category of its own and
an unseen one as none. `none`: numbers as they are. In both, what reaches the estimator has the
precision of float32 (see `artifacts.rounding`); scaling comes before, in double, so that nothing is
lost where values are large and differ little.

The input is a DataFrame with the numeric columns first (float64) and then the categorical ones
(str).
"""

from __future__ import annotations

from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from pawl.artifacts.rounding import RoundToFloat32
from pawl.errors import UserError
from pawl.training.workspace import Schema

MODEL_STEP = "model"


def build_pipeline(schema: Schema, estimator: Any, preprocessing: str) -> Pipeline:
    """The unfitted pipeline. UserError when `none` meets columns that are not numbers."""
    numeric = list(range(len(schema.numeric)))
    categorical = list(range(len(numeric), len(numeric) + len(schema.categorical)))
    steps: list[tuple[str, Any]] = []
    if preprocessing == "auto":
        steps.append(("columns", _auto(numeric, categorical, estimator)))
    elif categorical:
        raise UserError(
            f'preprocessing none needs numbers, but feature "{schema.categorical[0]}" is text; '
            "use preprocessing auto, or name the column in data.ignore"
        )
    steps += [("float32", RoundToFloat32()), (MODEL_STEP, estimator)]
    return Pipeline(steps)


def takes_missing(estimator: Any) -> bool:
    """Whether missing values may reach the estimator in `auto`: histogram gradient boosting only,
    whose handling of them ONNX knows too."""
    return type(estimator).__name__.startswith("HistGradientBoosting")


def _auto(numeric: list[int], categorical: list[int], estimator: Any) -> ColumnTransformer:
    parts: list[tuple[str, Any, list[int]]] = []
    if numeric:
        scaling: Any = StandardScaler()
        if not takes_missing(estimator):
            imputer = SimpleImputer(strategy="median", keep_empty_features=True)
            scaling = Pipeline([("impute", imputer), ("scale", scaling)])
        parts.append(("numeric", scaling, numeric))
    if categorical:
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        parts.append(("categorical", encoder, categorical))
    return ColumnTransformer(parts, sparse_threshold=0.0)
