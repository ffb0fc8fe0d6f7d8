"""TrainingJob: a recipe that Pawl runs, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from pawl.api.base import (
    ApiModel,
    Column,
    Digest,
    GateStatus,
    Name,
    ObjectStatus,
    StatusModel,
    Time,
    cel,
)
from pawl.api.data import Data
from pawl.api.duration import Duration
from pawl.api.evaluation import Evaluation, metric_rules
from pawl.api.search import BestTrial, Search, TrialCounts
from pawl.api.template import PodTemplate
from pawl.api.tracking import TrackedStatus, Tracking
from pawl.api.trainer import Trainer
from pawl.api.triggers import (
    RULES,
    ConcurrencyPolicy,
    HistoryLimit,
    OnDataChange,
    PollStatus,
    Schedule,
    ScheduleStatus,
    TimeZone,
)


class Cause(ApiModel):
    """Why Pawl started this training of its own accord. It is a record: users leave it out."""

    deployment: Annotated[str, Field(min_length=1, max_length=63)] = Field(
        description="The Deployment whose model needs a successor."
    )
    reason: Annotated[str, Field(min_length=1, max_length=128)]
    message: Annotated[str, Field(max_length=512)] = ""
    features: Annotated[tuple[Column, ...], Field(max_length=10)] = Field(
        (), description="What has drifted most, worst first."
    )
    window: Time | None = Field(None, description="End of the window that showed it.")
    data_digest: Digest | None = Field(
        None,
        description="Of the data that the served version was trained on. When the data still have "
        "it, nothing is trained and the run ends as NoNewData.",
    )
    data_newest: Time | None = Field(
        None, description="Time of the newest row that the served version's run had."
    )
    label_delay: Duration | None = Field(
        None, description="A row's label counts only when the row is as old as that."
    )
    min_labelled: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        None,
        description="So many rows with a label must be newer than `dataNewest`, else nothing is "
        "trained and the run ends as NoNewData. Gates look at the newest of them.",
    )


class TrainingJobSpec(ApiModel):
    """What to train, on what, and when the result is good enough.

    A change of model, data, trainer, workers, search, seed, evaluation or template ends a running
    run and starts the next; the other fields, and in search those that say how long it goes on,
    change in place.
    """

    model_config = cel(
        *metric_rules(),
        *RULES,
        (
            "!has(self.search) || !has(self.search.crossValidation) || "
            "(has(self.trainer.sklearn) && "
            "(!has(self.data.split) || self.data.split.strategy != 'time'))",
            "search.crossValidation is for trainer.sklearn, and not for split.strategy time: folds "
            "would train on what comes later",
        ),
        (
            "!has(self.evaluation) || !has(self.evaluation.threshold) || "
            "self.data.task == 'binary'",
            "evaluation.threshold is for task binary",
        ),
        (
            "!has(self.evaluation) || !has(self.evaluation.tests) || "
            "!self.evaluation.tests.uri.startsWith('pvc://') || "
            "(self.data.uri.startsWith('pvc://') && "
            "self.evaluation.tests.uri.split('/')[2] == self.data.uri.split('/')[2])",
            "evaluation.tests.uri names a claim; only that of data.uri is mounted",
        ),
        (
            "!has(self.workers) || self.workers == 1 || has(self.trainer.container)",
            "workers is for trainer.container: scikit-learn trains in one pod",
        ),
        (
            "!has(self.reproduces) || (!has(self.search) && !has(self.cause))",
            "reproduces takes the parameters as they are: leave out search and cause",
        ),
        (
            "!has(self.template) || has(self.trainer.container) || "
            "(!has(self.template.checkpoints) && "
            "(!has(self.template.volumes) || size(self.template.volumes) == 0))",
            "template.volumes and template.checkpoints are for trainer.container",
        ),
    )
    model: Name = Field(description="The series of ModelVersions that runs add to.")
    data: Data
    trainer: Trainer
    workers: Annotated[int, Field(ge=1, le=64)] = Field(
        1,
        description="How many pods train together; all begin anew when one fails, and worker 0 "
        "publishes.",
    )
    search: Search | None = Field(None, description="Which parameters to try; default: none.")
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        0, description="Of everything random; the same seed gives the same bundle."
    )
    evaluation: Evaluation = Evaluation()
    template: PodTemplate = PodTemplate()
    approval: Literal["Automatic", "Required"] = Field(
        "Automatic", description="Required: versions wait until somebody sets spec.approval."
    )
    schedule: Schedule | None = Field(
        None, description="Starts a run at these times, in the form of cron: 0 3 * * 1."
    )
    time_zone: TimeZone | None = Field(
        None, description="Of the schedule, like Europe/Berlin; default: UTC."
    )
    starting_deadline_seconds: Annotated[int, Field(ge=10)] | None = Field(
        None,
        description="A run that could not start within this time is missed; default: it starts as "
        "soon as it can. Of several missed ones the last is caught up.",
    )
    concurrency_policy: ConcurrencyPolicy | None = Field(
        None,
        description="When a run is due while another one goes on. Forbid (the default): it waits. "
        "Replace: it takes the other's place.",
    )
    on_data_change: OnDataChange | None = None
    successful_runs_history_limit: HistoryLimit = Field(
        10, description="How many runs that succeeded are kept in status.runs, which holds ten."
    )
    failed_runs_history_limit: HistoryLimit = Field(
        10, description="How many runs that failed or were superseded are kept there."
    )
    suspend: bool = Field(
        False,
        description="True stops the pods and keeps the run; schedule and onDataChange start none.",
    )
    backoff_limit: Annotated[int, Field(ge=0, le=20)] = Field(
        2, description="How often a failed pod is tried again; errors in the input never are."
    )
    active_deadline_seconds: Annotated[int, Field(ge=1)] | None = Field(
        None, description="The run fails when its pods have been active for longer."
    )
    ttl_seconds_after_finished: Annotated[int, Field(ge=0)] | None = Field(
        None, description="The finished run's Job is removed after this; the object stays."
    )
    tracking: Tracking | None = Field(None, description="Where runs are recorded as well.")
    reproduces: Annotated[str, Field(min_length=1, max_length=63)] | None = Field(
        None,
        description="A ModelVersion that this recipe gave: it is made again from the same data and "
        "compared file by file, and no version comes of it (`pawl reproduce`).",
    )
    cause: Cause | None = Field(None, description="Why Pawl trains; users leave it out.")

    def with_parameters(self, parameters: Mapping[str, Any]) -> TrainingJobSpec:
        """With these parameters of the trainer in the place of its own of the same names."""
        kind = "sklearn" if self.trainer.sklearn is not None else "container"
        trainer = self.trainer.sklearn or self.trainer.container
        if trainer is None:
            return self
        merged = trainer.model_copy(update={"parameters": {**trainer.parameters, **parameters}})
        return self.model_copy(update={"trainer": Trainer(**{kind: merged})})


#: A change of these starts a run; all other fields change in place.
RECIPE_FIELDS = frozenset(
    {
        "model",
        "data",
        "trainer",
        "workers",
        "search",
        "seed",
        "evaluation",
        "template",
        "reproduces",
    }
)


def containers_of(recipe: dict[str, Any]) -> list[dict[str, Any]]:
    """The users' containers of a recipe in JSON: the trainer's, and those that prepare rows."""
    own = recipe["trainer"].get("container")
    prepares = recipe["data"].get("prepare", {}).get("containers", [])
    return [*([own] if own else []), *prepares]


class RunStatus(StatusModel):
    """One run of the recipe."""

    number: int
    phase: Literal[
        "Pending",
        "Running",
        "Succeeded",
        "NoNewData",
        "Reproduced",
        "Differs",
        "Failed",
        "Superseded",
    ] = Field(
        description="NoNewData: the data have not changed, or too few labelled rows are new, so "
        "nothing was trained. Reproduced, Differs: of `reproduces`."
    )
    recipe_digest: Digest
    started_at: Time | None = None
    finished_at: Time | None = None
    trigger: Literal["Schedule", "DataChange"] | None = Field(
        None, description="What started it; without, a new or changed recipe did."
    )
    due: Time | None = Field(None, description="The time of the schedule that it is for.")
    reserved_version: int | None = Field(
        None, description="The number that this run's ModelVersion has, or will have."
    )
    resumes: int | None = Field(
        None, description="The run whose search this one goes on with, and whose trials count."
    )
    model_version: Annotated[str, Field(max_length=63)] | None = None
    message: Annotated[str, Field(max_length=1024)] = ""


class ComparedFile(StatusModel):
    """A file of the bundle that was made again."""

    name: Annotated[str, Field(max_length=100)]
    same: bool
    expected: Annotated[str, Field(max_length=64)] | None = Field(None, description="Its sha256.")
    found: Annotated[str, Field(max_length=64)] | None = Field(None, description="Its sha256 now.")


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
    schedule: ScheduleStatus | None = None
    poll: PollStatus | None = None
    trials: TrialCounts | None = Field(None, description="How far the search is.")
    best: BestTrial | None = None
    search: Annotated[str, Field(max_length=32)] | None = Field(
        None,
        description="Why the search has ended: MaxTrials, GridDone, GoalReached, NoImprovement or "
        "MaxFailedTrials.",
    )
    tracking: TrackedStatus | None = None
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
    files: Annotated[tuple[ComparedFile, ...], Field(max_length=64)] = Field(
        (), description="Of `reproduces`: whether each file came out the same."
    )
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
