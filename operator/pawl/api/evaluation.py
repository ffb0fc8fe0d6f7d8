"""spec.evaluation of a TrainingJob: metrics, threshold and gates."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from pawl.api.base import ApiModel, Column, Uri, cel
from pawl.api.metrics import METRICS, FairnessMetric

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


class Slice(ApiModel):
    """Rows that a gate looks at apart: those of each value of a column, or of one of them."""

    column: Column = Field(description="Any column of the data; it need not be a feature.")
    value: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        None, description="Only the rows with this value; default: of every value, at most 50."
    )
    min_rows: Annotated[int, Field(ge=20)] = Field(
        100, description="Slices with fewer rows that the metric is about are named, not judged."
    )


class Calibration(ApiModel):
    """Do probabilities mean what they say? The expected calibration error on the test rows."""

    max: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="Passes when the upper 95 % bound of the error is at most this."
    )


class ProxyTest(ApiModel):
    """Do the features give a sensitive column away? A model of its own predicts it from them."""

    column: Column = Field(description="One of data.sensitive.")
    max: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="Passes when the upper 95 % bound of the AUC (of a number: of R²) is at most "
        "this."
    )


class SizeBytes(ApiModel):
    """How large the file is that a server loads."""

    max: Annotated[int, Field(ge=1)]


class LatencyMillis(ApiModel):
    """How long the model computes, on one thread of the training pod, without any HTTP."""

    max: Annotated[float, Field(gt=0)] = Field(description="Of the 95th percentile of calls.")
    batch: Annotated[int, Field(ge=1, le=10_000)] = Field(1, description="Rows per call.")


class Gate(ApiModel):
    """A condition on the finished model; required ones must all pass, else it is Rejected."""

    model_config = cel(
        (
            "[has(self.metric), has(self.fairness), has(self.calibration), has(self.proxy), "
            "has(self.sizeBytes), has(self.latencyMillis)].filter(x, x).size() == 1",
            "exactly one of metric, fairness, calibration, proxy, sizeBytes and latencyMillis",
        ),
        (
            "!has(self.metric) || "
            "[has(self.min), has(self.max), has(self.champion)].filter(x, x).size() == 1",
            "metric: exactly one of min, max and champion",
        ),
        (
            "has(self.fairness) == has(self.attribute)",
            "fairness needs an attribute, and nothing else takes one",
        ),
        (
            "!has(self.fairness) || (has(self.max) && self.max > 0.0 && self.max < 1.0)",
            "fairness needs a max above 0 and below 1",
        ),
        (
            "has(self.metric) || (!has(self.min) && !has(self.champion) && "
            "(has(self.fairness) || !has(self.max)))",
            "min and champion are for a metric; calibration, proxy, sizeBytes and latencyMillis "
            "have a max of their own",
        ),
        ("!has(self.slice) || has(self.metric)", "slice is for a metric"),
    )
    metric: MetricName | None = None
    min: float | None = Field(None, description="Passes at this value or above.")
    max: float | None = Field(
        None,
        description="Passes at this value or below; of fairness, when the upper 95 % bound of "
        "every difference is below.",
    )
    champion: ChampionGate | None = None
    slice: Slice | None = Field(
        None,
        description="Every slice must hold. Fails when one is proved not to, with Holm's "
        "correction for their number.",
    )
    fairness: FairnessMetric | None = Field(
        None,
        description="The largest difference between groups, as in Fairlearn: of the shares of "
        "positive answers, of the recalls, or of recalls and false positive rates.",
    )
    attribute: Column | None = Field(None, description="Of fairness: the column with the groups.")
    calibration: Calibration | None = None
    proxy: ProxyTest | None = None
    size_bytes: SizeBytes | None = None
    latency_millis: LatencyMillis | None = None
    required: bool = Field(True, description="A gate that is not required only reports.")

    @property
    def name(self) -> str:
        """What it is about, in a word."""
        if self.calibration is not None:
            return "calibration_error"
        if self.proxy is not None:
            return "proxy"
        if self.size_bytes is not None:
            return "size_bytes"
        if self.latency_millis is not None:
            return "latency_millis"
        return self.metric or self.fairness or ""

    @property
    def of_rows(self) -> bool:
        """Whether it is about the model's answers."""
        return self.proxy is None and self.size_bytes is None and self.latency_millis is None

    @property
    def column(self) -> str | None:
        """Whose values tell rows apart."""
        return self.slice.column if self.slice is not None else self.attribute


class ModelTests(ApiModel):
    """Behavioural tests of the model (docs/model-tests.md): all must hold, else it is Rejected; its
    servers run them again before they are ready."""

    uri: Uri = Field(
        description="file, s3, http(s), or pvc of the data's claim: one file of JSON lines."
    )


class Evaluation(ApiModel):
    """How the finished model is judged, on rows it has not seen."""

    metrics: Annotated[tuple[MetricName, ...], Field(max_length=32)] = Field(
        (), description="They must fit the task; default: the usual ones of the task."
    )
    threshold: Threshold | None = Field(None, description="For task binary; default 0.5.")
    gates: Annotated[tuple[Gate, ...], Field(max_length=32)] = ()
    tests: ModelTests | None = None


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
                f"self.evaluation.gates.all(g, !has(g.metric) || g.metric in {listed})))",
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
    rules += [
        (
            f"self.data.task {others} || !has(self.evaluation) || !has(self.evaluation.gates) || "
            f"self.evaluation.gates.all(g, !has(g.{kind}))",
            message,
        )
        for kind, others, message in (
            ("fairness", "== 'binary'", "fairness gates are for task binary"),
            ("calibration", "!= 'regression'", "calibration gates are for classification"),
        )
    ]
    rules.append(
        (
            "!has(self.evaluation) || !has(self.evaluation.gates) || "
            "self.evaluation.gates.all(g, !has(g.proxy) || (has(self.data.sensitive) && "
            "g.proxy.column in self.data.sensitive))",
            "the column of a proxy gate must be in data.sensitive",
        )
    )
    return rules
