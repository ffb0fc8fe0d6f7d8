"""spec.evaluation of a TrainingJob: metrics, threshold and gates."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from pawl.api.base import ApiModel, cel
from pawl.api.metrics import METRICS

MetricName = Annotated[str, Field(json_schema_extra={"enum": sorted(METRICS)}, max_length=64)]


#: Recall alone is best where every row is positive, precision where next to none is.
_MAXIMIZED = ("accuracy", "balanced_accuracy", "f1", "matthews_corrcoef")
_MAXIMIZE_RULE = (
    "threshold.maximize takes accuracy, balanced_accuracy, f1 or matthews_corrcoef; another metric "
    "may be best where everything or nothing is positive: recall and precision can be gates"
)


def _weighs_both_errors(metric: str) -> str:
    if metric not in _MAXIMIZED:
        raise ValueError(_MAXIMIZE_RULE)
    return metric


class Threshold(ApiModel):
    """Where a probability becomes the positive label: exactly one of the two."""

    model_config = cel(
        ("has(self.value) != has(self.maximize)", "exactly one of value and maximize"),
        (f"!has(self.maximize) || self.maximize in {list(_MAXIMIZED)}", _MAXIMIZE_RULE),
    )
    value: Annotated[float, Field(gt=0, lt=1)] | None = Field(None, description="This value.")
    # No enum: the API server would refuse other words without a reason.
    maximize: Annotated[str, Field(max_length=64), AfterValidator(_weighs_both_errors)] | None = (
        Field(
            None,
            description="The value that maximises this metric on the validation rows: accuracy, "
            "balanced_accuracy (as Youden's J), f1 or matthews_corrcoef.",
        )
    )


class ChampionGate(ApiModel):
    """Compares with the champion on test rows that neither model was trained on."""

    not_worse_by: Annotated[float, Field(ge=0)] = Field(
        description="Passes when the lower 95 % bound of the difference is above minus this."
    )
    min_rows: Annotated[int, Field(ge=20)] = Field(
        100, description="With fewer common rows the gate is Inconclusive."
    )


class Gate(ApiModel):
    """A condition on the finished model; required ones must all pass, else it is Rejected."""

    model_config = cel(
        (
            "[has(self.min), has(self.max), has(self.champion)].filter(x, x).size() == 1",
            "exactly one of min, max and champion",
        )
    )
    metric: MetricName
    min: float | None = Field(None, description="Passes at this value or above.")
    max: float | None = Field(None, description="Passes at this value or below.")
    champion: ChampionGate | None = None
    required: bool = Field(True, description="A gate that is not required only reports.")


class Evaluation(ApiModel):
    """How the finished model is judged, on rows it has not seen."""

    metrics: Annotated[tuple[MetricName, ...], Field(max_length=32)] = Field(
        (), description="They must fit the task; default: the usual ones of the task."
    )
    threshold: Threshold | None = Field(None, description="For task binary; default 0.5.")
    gates: Annotated[tuple[Gate, ...], Field(max_length=32)] = ()


def metric_rules() -> list[tuple[str, str]]:
    """Rules for the spec of a TrainingJob, one per task: its metrics only."""
    rules = []
    for task in ("binary", "multiclass", "regression"):
        names = sorted(name for name, metric in METRICS.items() if task in metric.tasks)
        listed = "[" + ",".join(f"'{name}'" for name in names) + "]"
        message = f"task {task} is judged by " + ", ".join(names)
        rules.append(
            (
                f"self.data.task != '{task}' || !has(self.evaluation) || "
                f"((!has(self.evaluation.metrics) || self.evaluation.metrics.all(m, m in {listed}))"
                f" && (!has(self.evaluation.gates) || "
                f"self.evaluation.gates.all(g, g.metric in {listed})))",
                message,
            )
        )
        rules.append(
            (
                f"self.data.task != '{task}' || !has(self.search) || "
                f"self.search.objectives.all(o, o.metric in {listed})",
                message,
            )
        )
    return rules
