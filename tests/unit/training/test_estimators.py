"""Which estimators may be trained, and how they are built."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from sklearn.utils import all_estimators

from pawl.errors import NotAllowedError, UserError
from pawl.training.estimators import build, is_allowed_path, resolve


def _public_path(name: str, kind: type[Any]) -> str:
    """The class where its documentation has it: below sklearn's first level."""
    return f"sklearn.{kind.__module__.split('.')[1]}.{name}"


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_everything_that_scikit_learn_lists_is_allowed(kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        listed = all_estimators(type_filter=kind)
    assert len(listed) > 35
    for name, found in listed:
        assert resolve(_public_path(name, found)) is found


@pytest.mark.parametrize(
    "path",
    [
        "os.system",
        "sklearn.os",
        "sklearn.externals._arff.load",
        "sklearn.utils._joblib.joblib",
        "sklearn.linear_model.tests.test_base.LinearRegression",
        "sklearn.conftest.X",
        "sklearn",
        "subprocess.Popen",
        "sklearn_evil.linear_model.LogisticRegression",
    ],
)
def test_nothing_else_is_even_imported(path: str) -> None:
    assert not is_allowed_path(path)
    with pytest.raises(NotAllowedError):
        resolve(path)


@pytest.mark.parametrize("path", ["sklearn.metrics.accuracy_score", "sklearn.utils.Bunch"])
def test_what_is_no_estimator_is_refused(path: str) -> None:
    with pytest.raises(UserError):
        resolve(path)


def test_the_administrator_adds_paths_and_prefixes() -> None:
    assert is_allowed_path("xgboost.XGBClassifier", ("xgboost.XGBClassifier",))
    assert is_allowed_path("xgboost.XGBClassifier", ("xgboost.",))
    assert not is_allowed_path("xgboost.XGBClassifier", ("xgboost",))
    assert not is_allowed_path("xgboostly.XGBClassifier", ("xgboost.",))


def test_every_random_state_gets_the_seed_unless_it_is_given() -> None:
    bagging = build(
        "sklearn.ensemble.BaggingClassifier",
        {
            "estimator": {
                "estimator": "sklearn.tree.DecisionTreeClassifier",
                "parameters": {"max_depth": 2},
            }
        },
        task="binary",
        seed=7,
    )
    assert (bagging.random_state, bagging.estimator.random_state) == (7, 7)
    given = {"random_state": 3}
    forest = build("sklearn.ensemble.RandomForestClassifier", given, task="binary", seed=7)
    assert forest.random_state == 3


def test_estimators_are_built_inside_lists() -> None:
    voting = build(
        "sklearn.ensemble.VotingClassifier",
        {
            "voting": "soft",
            "estimators": [
                ["tree", {"estimator": "sklearn.tree.DecisionTreeClassifier"}],
                ["bayes", {"estimator": "sklearn.naive_bayes.GaussianNB", "parameters": {}}],
            ],
        },
        task="binary",
        seed=1,
    )
    assert [name for name, _ in voting.estimators] == ["tree", "bayes"]
    assert voting.estimators[0][1].random_state == 1


@pytest.mark.parametrize(
    ("path", "parameters", "said"),
    [
        ("sklearn.svm.SVR", {}, "SVR is no classifier, which task binary needs"),
        ("sklearn.svm.LinearSVC", {}, "wrap it: {estimator: sklearn.calibration.Calibrated"),
        (
            "sklearn.tree.DecisionTreeClassifier",
            {"max_dept": 3},
            'has no parameter "max_dept"; did you mean "max_depth"?; it has: criterion',
        ),
        (
            "sklearn.tree.DecisionTreeClassifier",
            {"max_depth": "three"},
            "'max_depth' parameter of DecisionTreeClassifier must be an int",
        ),
        (
            "sklearn.ensemble.BaggingClassifier",
            {"estimator": {"estimator": "os.system"}},
            "os.system is not allowed",
        ),
        (
            "sklearn.ensemble.BaggingClassifier",
            {
                "estimator": {
                    "estimator": "sklearn.tree.DecisionTreeClassifier",
                    "parameters": {"x": 1},
                }
            },
            "spec.trainer.sklearn.parameters.estimator.parameters: DecisionTreeClassifier has no",
        ),
        (
            "sklearn.ensemble.StackingClassifier",
            {"estimators": [], "memory": "/tmp/pickles"},
            'StackingClassifier has no parameter "memory"',
        ),
        (
            "sklearn.pipeline.Pipeline",
            {"steps": [], "memory": "/tmp/pickles"},
            '"memory" is not allowed',
        ),
    ],
)
def test_what_is_wrong_is_told(path: str, parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as told:
        build(path, parameters, task="binary", seed=0)
    assert said in str(told.value)
