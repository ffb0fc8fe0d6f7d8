"""scikit-learn estimators by import path: allowed, built, checked, seeded.

Allowed are scikit-learn's own public estimators (what `sklearn.utils.all_estimators` lists, found
without importing all of it) and what the administrator adds, as full paths or as prefixes that end
in a dot. A parameter may itself be an estimator, written like the trainer:
`{estimator: sklearn.tree.DecisionTreeClassifier, parameters: {max_depth: 3}}`.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.base import BaseEstimator, is_classifier, is_regressor

from pawl.artifacts.records import Task
from pawl.artifacts.retry import describe
from pawl.artifacts.skops_types import is_listed
from pawl.errors import NotAllowedError, UserError

_MAX_DEPTH = 4
#: Would write and read pickles.
_REFUSED_PARAMETERS = ("memory",)


def build(
    path: str,
    parameters: Mapping[str, Any],
    *,
    task: Task,
    seed: int,
    extra: Sequence[str] = (),
) -> Any:
    """An unfitted estimator that fits `task`. Every `random_state` that is not given gets `seed`.

    NotAllowedError for a path that is not allowed; UserError for a wrong parameter or an estimator
    that does not fit the task.
    """
    estimator = _instantiate(path, parameters, tuple(extra), "spec.trainer.sklearn", 0)
    name = type(estimator).__name__
    if task == "regression":
        if not is_regressor(estimator):
            raise UserError(f"{name} is no regressor, which task regression needs")
    elif not is_classifier(estimator):
        raise UserError(f"{name} is no classifier, which task {task} needs")
    elif not hasattr(type(estimator), "predict_proba"):
        raise no_probabilities(path)
    _seed(estimator, seed)
    return estimator


def no_probabilities(path: str) -> UserError:
    """Some classifiers give none, and some only with certain parameters (known after fitting)."""
    return UserError(
        f"{path.rpartition('.')[2]} gives no probabilities with these parameters; wrap it: "
        "{estimator: sklearn.calibration.CalibratedClassifierCV, parameters: {estimator: "
        f"{{estimator: {path}}}}}}}"
    )


def resolve(path: str, extra: Sequence[str] = ()) -> type[Any]:
    """The class at an allowed import path."""
    module_name, _, class_name = path.rpartition(".")
    if not is_allowed_path(path, extra):
        raise NotAllowedError(
            f"estimator {path} is not allowed: scikit-learn's own are, others when the "
            "administrator adds them",
            reason="EstimatorNotAllowed",
        )
    try:
        found = getattr(importlib.import_module(module_name), class_name, None)
    except ImportError as error:
        raise UserError(
            f"estimator {path} cannot be imported: {describe(error)}", reason="EstimatorNotFound"
        ) from error
    if not inspect.isclass(found):
        close = _close(class_name, vars(importlib.import_module(module_name)))
        raise UserError(f"estimator {path} does not exist{close}", reason="EstimatorNotFound")
    own = found.__module__.startswith("sklearn.")
    if not issubclass(found, BaseEstimator) or inspect.isabstract(found):
        raise NotAllowedError(f"{path} is no estimator", reason="EstimatorNotAllowed")
    if not own and not is_listed(path, extra):
        raise NotAllowedError(
            f"estimator {path} is not scikit-learn's own", reason="EstimatorNotAllowed"
        )
    return found


def is_allowed_path(path: str, extra: Sequence[str] = ()) -> bool:
    """Whether a path may be imported at all (decided on the text, before importing)."""
    if is_listed(path, extra):
        return True
    parts = path.split(".")
    internal = any(part.startswith("_") or part in ("externals", "tests") for part in parts)
    return parts[0] == "sklearn" and len(parts) >= 3 and not internal and parts[1] != "conftest"


def _instantiate(
    path: str, parameters: Mapping[str, Any], extra: tuple[str, ...], where: str, depth: int
) -> Any:
    if depth > _MAX_DEPTH:
        raise UserError(f"{where}: estimators are nested more than {_MAX_DEPTH} deep")
    kind = resolve(path, extra)
    known = [name for name in inspect.signature(kind).parameters if name not in ("args", "kwargs")]
    values = {}
    for name, value in parameters.items():
        if name not in known:
            raise UserError(
                f'{where}.parameters: {kind.__name__} has no parameter "{name}"'
                f"{_close(name, known)}; it has: {', '.join(known)}",
                reason="InvalidParameter",
            )
        if name in _REFUSED_PARAMETERS and value is not None:
            raise NotAllowedError(f'{where}.parameters: "{name}" is not allowed')
        values[name] = _value(value, extra, f"{where}.parameters.{name}", depth + 1)
    try:
        estimator = kind(**values)
        validate = getattr(estimator, "_validate_params", None)
        if validate is not None:
            validate()
    except (ValueError, TypeError) as error:
        text = " ".join(str(error).split())
        raise UserError(f"{where}.parameters: {text}", reason="InvalidParameter") from error
    return estimator


def _value(value: Any, extra: tuple[str, ...], where: str, depth: int) -> Any:
    """A parameter's value with the estimators in it built; pairs in lists become tuples."""
    if isinstance(value, Mapping):
        if set(value) <= {"estimator", "parameters"} and isinstance(value.get("estimator"), str):
            inner = value.get("parameters") or {}
            return _instantiate(value["estimator"], inner, extra, where, depth)
        return {key: _value(item, extra, where, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        items = [_value(item, extra, where, depth) for item in value]
        named = (
            len(items) == 2 and isinstance(items[0], str) and isinstance(items[1], BaseEstimator)
        )
        return tuple(items) if named else items
    return value


def _seed(estimator: Any, seed: int) -> None:
    unset = {
        name: seed
        for name, value in estimator.get_params(deep=True).items()
        if (name == "random_state" or name.endswith("__random_state")) and value is None
    }
    if unset:
        estimator.set_params(**unset)


def _close(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""
