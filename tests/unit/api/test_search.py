"""What the CRD takes and refuses of a search, judged as an API server judges it; its digest."""

from __future__ import annotations

from typing import Any

import pytest

from pawl.api.crds import all_crds
from pawl.api.search import Parameter, Search, grid_values, points
from pawl.api.trainingjob import TrainingJobSpec
from pawl.core.recipe import recipe_digest
from pawl.local.schema.structural import Structural

RATE = {"name": "rate", "type": "double", "min": 0.1, "max": 1}
DEPTH = {"name": "depth", "type": "int", "min": 1, "max": 9}
KIND = {"name": "kind", "type": "categorical", "values": ["a", 3, "null"]}


@pytest.fixture(scope="module")
def schema() -> Structural:
    crd = next(crd for crd in all_crds() if crd["spec"]["names"]["kind"] == "TrainingJob")
    return Structural(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def spec(*parameters: Any, **search: Any) -> dict[str, Any]:
    return {
        "model": "churn",
        "data": {"uri": "s3://lake/churn/", "task": "binary", "target": "churned"},
        "trainer": {"sklearn": {"estimator": "sklearn.svm.SVC"}},
        "search": {
            "objectives": [{"metric": "roc_auc"}],
            "parameters": list(parameters or (RATE,)),
            **search,
        },
    }


def complaints(schema: Structural, *parameters: Any, **search: Any) -> str:
    item = {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "churn", "namespace": "ml"},
        "spec": spec(*parameters, **search),
    }
    schema.default(item)
    return "; ".join(str(cause) for cause in schema.validate(item))


@pytest.mark.parametrize(
    "search",
    [
        pytest.param({}, id="the least"),
        pytest.param({"parameters": [RATE, DEPTH, KIND], "algorithm": "random"}, id="all types"),
        pytest.param({"parameters": [{**RATE, "log": True}], "pruner": "hyperband"}, id="log"),
        pytest.param({"algorithm": "grid", "parameters": [DEPTH, KIND]}, id="a grid"),
        pytest.param({"parameters": [{**RATE, "min": 1}]}, id="one value only"),
        pytest.param(
            {"algorithm": "nsga2", "objectives": [{"metric": "roc_auc"}, {"metric": "log_loss"}]},
            id="two objectives",
        ),
        pytest.param({"stop": {"value": 0.9, "noImprovement": 5}}, id="an end"),
        pytest.param({"crossValidation": {"folds": 5}}, id="folds"),
    ],
)
def test_takes(schema: Structural, search: dict[str, Any]):
    assert complaints(schema, **search) == ""
    TrainingJobSpec.model_validate(spec(**search))


@pytest.mark.parametrize(
    ("search", "words"),
    [
        pytest.param(
            {"objectives": [{"metric": "roc_auc"}, {"metric": "log_loss"}]},
            "several objectives need algorithm nsga2",
            id="two objectives of tpe",
        ),
        pytest.param(
            {
                "algorithm": "nsga2",
                "pruner": "median",
                "objectives": [{"metric": "roc_auc"}, {"metric": "log_loss"}],
            },
            "pruner and stop are for one objective",
            id="pruned by two objectives",
        ),
        pytest.param({"objectives": []}, "at least 1 items", id="no objective"),
        pytest.param({"objectives": [{"metric": "rmse"}]}, "task binary is judged", id="task"),
        pytest.param({"algorithm": "grid"}, "needs a step of every double", id="endless grid"),
        pytest.param(
            {"algorithm": "grid", "parameters": [{**DEPTH, "log": True}]},
            "takes no log",
            id="a grid of logarithms",
        ),
        pytest.param({"algorithm": "cmaes", "parameters": [KIND]}, "needs a double", id="cmaes"),
        pytest.param({"parameters": [{"name": "a", "type": "int", "min": 1}]}, "need min and max",
                     id="no max"),
        pytest.param({"parameters": [{**RATE, "min": 2}]}, "min at most max", id="crossed"),
        pytest.param({"parameters": [{**DEPTH, "min": 1.5}]}, "whole numbers", id="half an int"),
        pytest.param({"parameters": [{**DEPTH, "step": 0.5}]}, "whole number", id="half a step"),
        pytest.param({"parameters": [{**RATE, "min": 0, "log": True}]}, "min above 0", id="log 0"),
        pytest.param({"parameters": [{**RATE, "log": True, "step": 0.1}]}, "without step",
                     id="log and step"),
        pytest.param({"parameters": [{**KIND, "min": 1}]}, "categorical takes neither",
                     id="categories with min"),
        pytest.param({"parameters": [{**KIND, "values": []}]}, "needs values", id="no values"),
        pytest.param({"parameters": [{**RATE, "values": ["a"]}]}, "take none", id="numbers listed"),
        pytest.param({"parameters": [RATE, RATE]}, "Duplicate", id="a name twice"),
        pytest.param({"parameters": [{**RATE, "name": "a b"}]}, "name", id="no name"),
        pytest.param({"maxTrials": 1001}, "less than or equal to 1000", id="too many trials"),
        pytest.param({"crossValidation": {}, "pruner": "median"}, "takes no pruner", id="pruned"),
        pytest.param({"crossValidation": {"folds": 1}}, "greater than or equal to 2", id="a fold"),
        pytest.param({"algorithm": "hope"}, "Unsupported", id="no algorithm"),
    ],
)  # fmt: skip
def test_refuses_with_a_sentence(schema: Structural, search: dict[str, Any], words: str):
    assert words in complaints(schema, **search)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("data", {"timeColumn": "at", "split": {"strategy": "time"}}, id="by time"),
        pytest.param("trainer", {"sklearn": None, "container": {"image": "a"}}, id="a container"),
    ],
)
def test_what_cannot_be_cross_validated_is_refused(
    schema: Structural, field: str, value: dict[str, Any]
):
    item = spec(crossValidation={"folds": 3})
    item[field] = {k: v for k, v in {**item[field], **value}.items() if v is not None}
    whole = {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "churn", "namespace": "ml"},
        "spec": item,
    }
    schema.default(whole)
    told = "; ".join(str(cause) for cause in schema.validate(whole))
    assert "search.crossValidation is for trainer.sklearn" in told


@pytest.mark.parametrize(
    ("value", "read"),
    [
        pytest.param("sqrt", "sqrt", id="a text"),
        pytest.param("null", None, id="nothing"),
        pytest.param("true", True, id="a flag"),
        pytest.param("0.5", 0.5, id="a number"),
        pytest.param(5, 5, id="a whole number"),
        pytest.param('"5"', "5", id="a text that looks like a number"),
        pytest.param("[1]", "[1]", id="a list is a text"),
    ],
)
def test_a_value_is_what_json_says(value: Any, read: Any):
    parameter = Parameter.model_validate({**KIND, "values": [value]})
    assert parameter.choices() == (read,)


def test_a_grid_counts_by_steps():
    third = Parameter.model_validate({**RATE, "min": 0, "max": 0.3, "step": 0.1})
    assert len(grid_values(third)) == 4  # though 0.3 / 0.1 is a little less than 3
    search = Search.model_validate(spec(DEPTH, KIND, algorithm="grid")["search"])
    assert points(search) == 27


def test_a_goal_goes_before_the_metrics_direction():
    search = Search.model_validate(
        spec(objectives=[{"metric": "log_loss"}, {"metric": "roc_auc", "goal": "minimize"},
                         {"metric": "roc_auc"}])["search"]
    )  # fmt: skip
    assert [o.direction for o in search.objectives] == ["minimize", "minimize", "maximize"]


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        pytest.param({"maxTrials": 99, "parallelTrials": 9, "maxFailedTrials": 0}, True, id="size"),
        pytest.param({"stop": {"value": 0.9}}, True, id="the end"),
        pytest.param({"algorithm": "random"}, False, id="the algorithm"),
        pytest.param({"pruner": "median"}, False, id="the pruner"),
        pytest.param({"parameters": [DEPTH]}, False, id="the parameters"),
    ],
)
def test_a_recipe_is_what_is_searched_not_for_how_long(changes: dict[str, Any], same: bool):
    one, other = (
        recipe_digest(TrainingJobSpec.model_validate(spec(**given))) for given in ({}, changes)
    )
    assert (one == other) is same
