"""skops files: the same model, the same bytes; nothing but known types."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io as sio
from sklearn.datasets import load_iris
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import all_estimators

from pawl.errors import NotAllowedError, UserError
from pawl.training import persist
from pawl.training.estimators import build

X, Y = load_iris(return_X_y=True)
NESTED = {"estimator": {"estimator": "sklearn.linear_model.LogisticRegression"}}
PAIRS = {
    "estimators": [
        ["a", {"estimator": "sklearn.tree.DecisionTreeClassifier"}],
        ["b", {"estimator": "sklearn.naive_bayes.GaussianNB"}],
    ]
}


def _fit(name: str, parameters: dict[str, Any]) -> Any:
    model = build(f"sklearn.{name}", parameters, task="multiclass", seed=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, Y)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("linear_model.LogisticRegression", {}),
        ("ensemble.HistGradientBoostingClassifier", {"max_iter": 5}),
        ("ensemble.RandomForestClassifier", {"n_estimators": 4}),
        ("ensemble.StackingClassifier", PAIRS),
        ("ensemble.VotingClassifier", PAIRS | {"voting": "soft"}),
        ("calibration.CalibratedClassifierCV", NESTED),
        ("calibration.CalibratedClassifierCV", NESTED | {"method": "isotonic"}),
        ("gaussian_process.GaussianProcessClassifier", {}),
        ("neighbors.KNeighborsClassifier", {"algorithm": "ball_tree"}),
        ("neural_network.MLPClassifier", {"max_iter": 5, "solver": "sgd"}),
    ],
)
def test_what_is_saved_twice_has_the_same_bytes_and_answers_the_same(
    tmp_path: Path, name: str, parameters: dict[str, Any]
) -> None:
    one, two = tmp_path / "one.skops", tmp_path / "two.skops"
    model = _fit(name, parameters)
    persist.save(model, one)
    persist.save(_fit(name, parameters), two)
    assert one.read_bytes() == two.read_bytes()
    assert np.array_equal(persist.load(one).predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_every_estimator_with_defaults_can_be_loaded_again(tmp_path: Path, kind: str) -> None:
    """What can be trained can be served: the list of trusted types is long enough."""
    path = tmp_path / "model.skops"
    tried = 0
    for _, made in all_estimators(type_filter=kind):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model = made().fit(X[::5], Y[::5])
            except (TypeError, ValueError):
                continue  # needs arguments, or other data
        persist.save(model, path)
        persist.load(path)
        tried += 1
    assert tried > 25


class Unknown:
    """A type that nobody has allowed."""


def test_an_unknown_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(sio.dumps(FunctionTransformer(kw_args={"x": Unknown()})))
    with pytest.raises(NotAllowedError, match=r"holds types that are not allowed: .*Unknown"):
        persist.load(path)
    assert persist.load(path, (f"{Unknown.__module__}.",)) is not None


@pytest.mark.parametrize("content", [b"", b"PK nonsense"])
def test_what_is_no_skops_file_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a readable skops file"):
        persist.load(path)


def test_an_archive_without_a_schema_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.json", "{}")
    with pytest.raises(UserError, match="not a readable skops file"):
        persist.load(path)


def test_a_file_that_unpacks_to_too_much_is_the_users_error(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", " " * ((128 << 20) + 1), zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match="refused unopened") as caught:
        persist.load(path)
    assert caught.value.reason == "ModelTooLarge"
