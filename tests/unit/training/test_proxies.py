"""What the features give away of a sensitive column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_predict

from pawl.training.features import Matrix
from pawl.training.proxies import _Folds, find, warnings

N = 800
RNG = np.random.default_rng(1)
NOISE = RNG.normal(0, 1, N)
GENDER = np.where(RNG.random(N) < 0.5, "f", "m").astype(object)
AGE = RNG.uniform(18, 80, N)


def features(numbers: dict[str, Any], texts: dict[str, Any] | None = None) -> Matrix:
    numeric = np.column_stack([np.asarray(c, dtype=float) for c in numbers.values()])
    named = texts or {}
    categorical = np.array(list(named.values()), dtype=object).T.reshape(N, len(named))
    return Matrix(numeric, categorical, tuple(numbers), tuple(named))


def one(given: Matrix, column: Any) -> Any:
    (found,) = find(given, pa.table({"sensitive": pa.array(list(column))}), ("sensitive",))
    return found


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(
            features({"height": np.where(GENDER == "f", 165, 179) + 5 * NOISE}), id="a number"
        ),
        pytest.param(
            features({"x": np.where(GENDER == "f", 0, 3) * np.sign(NOISE) + NOISE / 4}),
            id="a number that is neither rising nor falling",
        ),
        pytest.param(
            features({"x": NOISE}, {"title": np.where(GENDER == "f", "Ms", "Mr")}), id="a text"
        ),
        pytest.param(
            features({"x": np.where(GENDER == "f", np.nan, 1), "y": NOISE}), id="what is missing"
        ),
    ],
)
def test_a_proxy_is_found(given: Matrix) -> None:
    found = one(given, GENDER)
    assert (found.measure, found.rows) == ("roc_auc", N)
    assert found.value in ("f", "m")
    assert 0.9 < found.interval[0] <= found.estimate <= found.interval[1]
    (sentence,) = warnings((found,))
    assert sentence.startswith(
        'sensitive column "sensitive" can be predicted from the features (AUC of'
    )


def test_independent_features_give_nothing_away() -> None:
    found = one(features({"x": NOISE}), GENDER)
    assert found.interval[0] < 0.55
    assert found.estimate < 0.6
    assert warnings((found,)) == ()


@pytest.mark.parametrize(("noise", "warned"), [(5.0, True), (60.0, False)])
def test_a_number_is_judged_by_its_explained_variance(noise: float, warned: bool) -> None:
    found = one(features({"x": AGE + noise * NOISE}), AGE)
    assert found.measure == "r2"
    assert found.interval[0] < found.estimate < found.interval[1]
    assert bool(warnings((found,))) == warned


def test_of_several_values_the_one_that_is_predicted_best_is_told() -> None:
    group = RNG.choice(["a", "b", "c"], N)
    assert one(features({"x": (group == "b") + NOISE / 9}), group).value == "b"


def test_each_row_is_predicted_by_what_was_fitted_on_other_folds() -> None:
    """Equal to scikit-learn's ridge, whose penalty is the same."""
    design = np.column_stack([np.ones(N), RNG.normal(0, 1, (N, 3))])
    model = Ridge(alpha=1e-3 * N * 4 / 5, fit_intercept=False)
    order = np.argsort(np.arange(N) % 5, kind="stable")
    wanted = cross_val_predict(model, design[order], AGE[order], cv=KFold(5))
    assert _Folds(design).predict(AGE)[order] == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("column", "rows"),
    [
        pytest.param(["f"] * N, N, id="one value"),
        pytest.param([None] * N, N, id="no value"),
        pytest.param(["f", "m"] * 20, 40, id="few rows"),
    ],
)
def test_what_cannot_be_judged_is_left_out(column: list[Any], rows: int) -> None:
    given = features({"x": NOISE}).take(np.arange(rows))
    assert find(given, pa.table({"s": pa.array(column, pa.string())}), ("s",)) == ()
