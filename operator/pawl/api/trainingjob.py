"""TrainingJob: a recipe that Pawl runs, and what came of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from pawl.api.base import (
    ApiModel,
    Column,
    Columns,
    Digest,
    EnvVar,
    GateStatus,
    Name,
    ObjectStatus,
    Placement,
    Resources,
    StatusModel,
    Time,
    Uri,
    cel,
)
from pawl.api.metrics import METRICS

Task = Literal["binary", "multiclass", "regression"]
MetricName = Annotated[str, Field(json_schema_extra={"enum": sorted(METRICS)}, max_length=64)]


class Split(ApiModel):
    """How rows are assigned to the train, validation and test parts."""

    model_config = cel(
        ("self.test + self.validation < 0.9", "test and validation must leave 10 % for training")
    )
    test: Annotated[float, Field(gt=0, lt=0.9)] = Field(
        0.2, description="Share of rows that are scored once, when the model is finished."
    )
    validation: Annotated[float, Field(gt=0, lt=0.9)] = Field(
        0.2, description="Share of rows on which thresholds are chosen."
    )
    strategy: Literal["hash", "time", "group"] = Field(
        "hash",
        description="hash: by the id columns, else by the row, so that a row stays in its part for "
        "every later version; time: the newest rows by timeColumn are the test rows; group: all "
        "rows of one groupColumn value go together.",
    )


class Check(ApiModel):
    """A sanity check of the data; one that fails stops the run before training."""

    model_config = cel(
        (
            "has(self.minRows) != has(self.column)",
            "a check has either minRows or column",
        ),
        (
            "has(self.column) || !(has(self.type) || has(self.min) || has(self.max) || "
            "has(self.maxMissing) || has(self.allowed))",
            "type, min, max, maxMissing and allowed need a column",
        ),
    )
    min_rows: Annotated[int, Field(ge=1)] | None = Field(
        None, description="The data must have at least this many rows."
    )
    column: Column | None = Field(None, description="The column that is checked.")
    type: Literal["number", "string", "boolean", "datetime"] | None = Field(
        None, description="What the values must be."
    )
    min: float | None = Field(None, description="No value may be below.")
    max: float | None = Field(None, description="No value may be above.")
    max_missing: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="Largest share of missing values."
    )
    allowed: Annotated[tuple[Annotated[str, Field(max_length=128)], ...], Field(max_length=256)] = (
        Field((), description="The only values there may be.")
    )


class Data(ApiModel):
    """Where the rows come from and what their columns mean."""

    model_config = cel(
        (
            "!(has(self.features) && size(self.features) > 0 && has(self.ignore) && "
            "size(self.ignore) > 0)",
            "give features or ignore, not both",
        ),
        (
            "!has(self.positiveLabel) || self.task == 'binary'",
            "positiveLabel is for task binary",
        ),
        (
            "!has(self.split) || self.split.strategy != 'time' || has(self.timeColumn)",
            "split.strategy time needs timeColumn",
        ),
        (
            "!has(self.split) || self.split.strategy != 'group' || has(self.groupColumn)",
            "split.strategy group needs groupColumn",
        ),
        (
            "!has(self.features) || !(self.target in self.features)",
            "the target cannot be a feature",
        ),
        (
            "!has(self.features) || !has(self.sensitive) || "
            "!self.sensitive.exists(c, c in self.features)",
            "a sensitive column is kept out of the features; take it out of one of the lists",
        ),
    )
    uri: Uri = Field(
        description="file, s3, http(s): one file, a folder or a glob of csv, parquet or JSON lines."
    )
    format: Literal["auto", "csv", "parquet", "jsonl"] = Field(
        "auto", description="auto goes by the file name."
    )
    task: Task = Field(description="What is predicted.")
    target: Column = Field(description="The column that is predicted.")
    positive_label: Annotated[str, Field(max_length=128)] | None = Field(
        None, description="The value of target whose probability is meant; default: the greater."
    )
    features: Columns = Field(
        (),
        description="Columns the model sees; default: all but target, sensitive and those named "
        "below.",
    )
    ignore: Columns = Field((), description="Columns the model does not see.")
    id_columns: Columns = Field(
        (), description="They identify a row, decide its part, and are never features."
    )
    time_column: Column | None = Field(None, description="When the row happened; no feature.")
    group_column: Column | None = Field(None, description="Rows that belong together; no feature.")
    weight_column: Column | None = Field(None, description="Weight of the row; no feature.")
    sensitive: Columns = Field(
        (), description="Kept out of the features; a warning says when they can be predicted."
    )
    split: Split = Split()
    checks: Annotated[tuple[Check, ...], Field(max_length=64)] = ()


class SklearnTrainer(ApiModel):
    """A scikit-learn estimator by import path."""

    estimator: Annotated[
        str, Field(max_length=256, pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$")
    ] = Field(
        description="For example sklearn.ensemble.HistGradientBoostingClassifier. scikit-learn's "
        "own estimators are allowed, others where the administrator has added them."
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="Keyword arguments of the estimator.",
        json_schema_extra={
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "maxProperties": 64,
        },
    )
    preprocessing: Literal["auto", "none"] = Field(
        "auto",
        description="auto: imputes and scales numbers and encodes categories as the estimator "
        "needs; none: the estimator gets the numeric columns as they are.",
    )


class ContainerTrainer(ApiModel):
    """An image of one's own that keeps the file contract (docs/file-contract.md)."""

    image: Annotated[str, Field(min_length=1, max_length=512)]
    command: Annotated[tuple[Annotated[str, Field(max_length=8192)], ...], Field(max_length=64)] = (
        Field((), description="Replaces the image's entrypoint.")
    )
    args: Annotated[tuple[Annotated[str, Field(max_length=8192)], ...], Field(max_length=64)] = ()
    env: Annotated[tuple[EnvVar, ...], Field(max_length=64)] = ()
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="Written to the file that PAWL_PARAMETERS names.",
        json_schema_extra={
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "maxProperties": 64,
        },
    )


class Trainer(ApiModel):
    """Who trains: exactly one of the two."""

    model_config = cel(
        ("has(self.sklearn) != has(self.container)", "exactly one of sklearn and container")
    )
    sklearn: SklearnTrainer | None = None
    container: ContainerTrainer | None = None


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


class PodTemplate(Placement):
    """What the training pods ask of the cluster."""

    resources: Resources | None = Field(
        None, description="Of the train container; its whole CPUs are its threads."
    )
    service_account_name: Annotated[str, Field(max_length=253)] | None = Field(
        None, description="Default: default. Its token is never mounted."
    )
    image_pull_secrets: Annotated[
        tuple[Annotated[str, Field(max_length=253)], ...], Field(max_length=8)
    ] = ()
    config_maps: Annotated[
        tuple[Annotated[str, Field(max_length=253)], ...], Field(max_length=8)
    ] = Field((), description="ConfigMaps mounted into train at /pawl/config-maps/<name>.")


def _metric_rules() -> list[tuple[str, str]]:
    """One rule per task: its metrics only."""
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
    return rules


class TrainingJobSpec(ApiModel):
    """What to train, on what, and when the result is good enough.

    A change of model, data, trainer, seed, evaluation or template ends a running run and starts
    the next; the other fields change in place.
    """

    model_config = cel(
        *_metric_rules(),
        (
            "!has(self.evaluation) || !has(self.evaluation.threshold) || "
            "self.data.task == 'binary'",
            "evaluation.threshold is for task binary",
        ),
    )
    model: Name = Field(description="The series of ModelVersions that runs add to.")
    data: Data
    trainer: Trainer
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        0, description="Of everything random; the same seed gives the same bundle."
    )
    evaluation: Evaluation = Evaluation()
    template: PodTemplate = PodTemplate()
    approval: Literal["Automatic", "Required"] = Field(
        "Automatic", description="Required: versions wait until somebody sets spec.approval."
    )
    suspend: bool = Field(False, description="True stops the pods and keeps the run.")
    backoff_limit: Annotated[int, Field(ge=0, le=20)] = Field(
        2, description="How often a failed pod is tried again; errors in the input never are."
    )
    active_deadline_seconds: Annotated[int, Field(ge=1)] | None = Field(
        None, description="The run fails when its pods have been active for longer."
    )
    ttl_seconds_after_finished: Annotated[int, Field(ge=0)] | None = Field(
        None, description="The finished run's Job is removed after this; the object stays."
    )


class RunStatus(StatusModel):
    """One run of the recipe."""

    number: int
    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Superseded"]
    recipe_digest: Digest
    started_at: Time | None = None
    finished_at: Time | None = None
    reserved_version: int | None = Field(
        None, description="The number that this run's ModelVersion has, or will have."
    )
    model_version: Annotated[str, Field(max_length=63)] | None = None
    message: Annotated[str, Field(max_length=1024)] = ""


class TrainingJobStatus(ObjectStatus):
    """What came of the recipe."""

    phase: Annotated[str, Field(max_length=32)] | None = Field(
        None, description="The current run in a word, for kubectl get."
    )
    progress: Annotated[int, Field(ge=0, le=100)] | None = Field(
        None, description="Per cent of the run's stages that are behind it."
    )
    run: RunStatus | None = None
    runs: Annotated[tuple[RunStatus, ...], Field(max_length=10)] = Field(
        (), description="Earlier runs, newest first."
    )
    metrics: Annotated[dict[str, float], Field(max_length=64)] | None = Field(
        None, description="Of the model as it will be served, on the test rows."
    )
    score: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="The first metric, for kubectl get."
    )
    gates: Annotated[tuple[GateStatus, ...], Field(max_length=40)] = ()
    warnings: Annotated[
        tuple[Annotated[str, Field(max_length=512)], ...], Field(max_length=16)
    ] = ()
    model_version: Annotated[str, Field(max_length=63)] | None = Field(
        None, description="The ModelVersion that the newest finished run made."
    )
    data_digest: Annotated[str, Field(max_length=80)] | None = None
    start_time: Time | None = None
    completion_time: Time | None = None


class TrainingJob(ApiModel):
    """A recipe for a model: the data, the trainer, and the gates its result must pass."""

    model_config = ConfigDict(extra="ignore")
    spec: TrainingJobSpec
    status: TrainingJobStatus = TrainingJobStatus()
