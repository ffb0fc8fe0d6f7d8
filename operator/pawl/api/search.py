"""spec.search of a TrainingJob: which parameters are searched, how, for how long, and for what."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from pawl.api.base import ApiModel, StatusModel, cel
from pawl.api.evaluation import MetricName
from pawl.api.metrics import METRICS

Algorithm = Literal["grid", "random", "tpe", "gp", "cmaes", "nsga2"]
Goal = Literal["maximize", "minimize"]
#: Most points of a grid.
MOST_POINTS = 10_000
_Value = Annotated[
    Annotated[str, Field(max_length=128)] | int,
    Field(json_schema_extra={"x-kubernetes-int-or-string": True}),
]
_NUMBER = "self.type != 'categorical'"


class Parameter(ApiModel):
    """A parameter of the trainer, and what it may be."""

    model_config = cel(
        (
            f"{_NUMBER} ? has(self.min) && has(self.max) && self.min <= self.max : "
            "!has(self.min) && !has(self.max)",
            "double and int need min and max, with min at most max; categorical takes neither",
        ),
        (
            f"({_NUMBER}) == (!has(self.values) || size(self.values) == 0)",
            "categorical needs values; double and int take none",
        ),
        (
            "!has(self.log) || !self.log || "
            f"({_NUMBER} && has(self.min) && self.min > 0.0 && !has(self.step))",
            "log is for double and int with min above 0 and without step",
        ),
        (
            f"!has(self.step) || ({_NUMBER} && (self.type == 'double' || "
            "self.step == double(int(self.step))))",
            "step is for double and int; of an int it is a whole number",
        ),
        (
            "self.type != 'int' || ((!has(self.min) || self.min == double(int(self.min))) && "
            "(!has(self.max) || self.max == double(int(self.max))))",
            "min and max of an int are whole numbers",
        ),
    )
    name: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")] = Field(
        description="As the trainer calls it; it replaces what trainer.*.parameters says."
    )
    type: Literal["double", "int", "categorical"]
    min: Annotated[float, Field(ge=-1e15, le=1e15)] | None = Field(None, description="Inclusive.")
    max: Annotated[float, Field(ge=-1e15, le=1e15)] | None = Field(None, description="Inclusive.")
    log: bool = Field(False, description="Looked at by its logarithm.")
    step: Annotated[float, Field(gt=0, le=1e15)] | None = Field(
        None, description="Only min, min + step, …; of an int 1 unless it is given."
    )
    values: Annotated[tuple[_Value, ...], Field(max_length=64)] = Field(
        (),
        description="Of a categorical one. A text that is JSON is what it says (0.5, true, null), "
        'any other text is itself; "\\"5\\"" is the text 5.',
    )

    def choices(self) -> tuple[Any, ...]:
        """`values` as the trainer gets them."""
        return tuple(_read(value) for value in self.values)


class Objective(ApiModel):
    """A metric on the validation rows."""

    metric: MetricName
    goal: Goal | None = Field(None, description="Default: the metric's own direction.")

    @property
    def direction(self) -> Goal:
        """With the default filled in."""
        better = METRICS[self.metric].higher_is_better
        return self.goal or ("maximize" if better else "minimize")


class CrossValidation(ApiModel):
    """Trials are scored on train and validation rows in turn; test rows are in no fold."""

    folds: Annotated[int, Field(ge=2, le=20)] = Field(
        5, description="So many models are fitted for a trial, each scored on the rows left out."
    )


class Stop(ApiModel):
    """When the search ends before maxTrials; trials under way are finished."""

    value: float | None = Field(None, description="The objective is as good as that.")
    no_improvement: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="So many trials in a row have brought nothing better."
    )


class Search(ApiModel):
    """A search for parameters, one Job per trial. Trials are judged on validation rows; the best
    parameters are trained once more, and that model is judged on the test rows."""

    model_config = cel(
        (
            "size(self.objectives) == 1 || self.algorithm == 'nsga2'",
            "several objectives need algorithm nsga2",
        ),
        (
            "size(self.objectives) == 1 || ((!has(self.pruner) || self.pruner == 'none') && "
            "(!has(self.stop) || (!has(self.stop.value) && !has(self.stop.noImprovement))))",
            "pruner and stop are for one objective",
        ),
        (
            "self.algorithm != 'grid' || self.parameters.all(p, p.type != 'double' || has(p.step))",
            "algorithm grid needs a step of every double",
        ),
        (
            "self.algorithm != 'grid' || self.parameters.all(p, !has(p.log) || !p.log)",
            "algorithm grid goes by steps and takes no log; give the values as categorical",
        ),
        (
            "self.algorithm != 'cmaes' || self.parameters.exists(p, p.type != 'categorical')",
            "algorithm cmaes needs a double or an int",
        ),
        (
            "!has(self.crossValidation) || !has(self.pruner) || self.pruner == 'none'",
            "crossValidation takes no pruner",
        ),
    )
    algorithm: Algorithm = Field(
        "tpe",
        description="random; grid: every combination, shuffled; tpe: tree-structured Parzen "
        "estimator; gp: Gaussian process; cmaes: evolution strategy; nsga2: genetic, also for "
        "several objectives.",
    )
    pruner: Literal["none", "median", "hyperband"] = Field(
        "none", description="Ends trials early by what they report on the way."
    )
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1, max_length=3)] = Field(
        description="Of several, the trial that is best in the first one is trained in the end."
    )
    cross_validation: CrossValidation | None = Field(
        None,
        description="Objectives are means over folds of the train and validation rows; default: "
        "they are those of the validation rows.",
    )
    max_trials: Annotated[int, Field(ge=1, le=1000)] = Field(
        20, description="A larger number goes on with a search that this has ended."
    )
    parallel_trials: Annotated[int, Field(ge=1, le=50)] = Field(1, description="Trials at once.")
    max_failed_trials: Annotated[int, Field(ge=0, le=1000)] = Field(
        3, description="With more the run fails."
    )
    stop: Stop = Stop()
    parameters: Annotated[
        tuple[Parameter, ...],
        Field(
            min_length=1,
            max_length=32,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ]


#: Fields of a search that change in place: they say how long it goes on, not what it is.
IN_PLACE = ("max_trials", "parallel_trials", "max_failed_trials", "stop")


class TrialCounts(StatusModel):
    """Trials of the run's search."""

    running: int = 0
    succeeded: int = 0
    failed: int = 0
    pruned: int = 0

    @property
    def ended(self) -> int:
        """All that are over."""
        return self.succeeded + self.failed + self.pruned


class BestTrial(StatusModel):
    """The best trial so far."""

    trial: int
    values: Annotated[dict[str, float], Field(max_length=3)]
    parameters: Annotated[dict[str, Annotated[str, Field(max_length=64)]], Field(max_length=32)] = (
        Field({}, description="As JSON, long ones cut.")
    )


def points(search: Search) -> int:
    """How many combinations a grid has."""
    total = 1
    for parameter in search.parameters:
        total *= len(grid_values(parameter, MOST_POINTS + 1))
    return total


def grid_values(parameter: Parameter, most: int = MOST_POINTS) -> tuple[Any, ...]:
    """The values of a parameter on a grid, at most `most`."""
    if parameter.type == "categorical":
        return parameter.choices()
    low, high, step = parameter.min or 0.0, parameter.max or 0.0, parameter.step or 1.0
    count = min(int((high - low) / step + 1e-9) + 1, most)
    if parameter.type == "int":
        return tuple(int(low) + i * int(step) for i in range(count))
    return tuple(low + i * step for i in range(count))


def _read(value: str | int) -> Any:
    if isinstance(value, int):
        return value
    try:
        read = json.loads(value)
    except ValueError:
        return value
    return value if isinstance(read, dict | list) else read
