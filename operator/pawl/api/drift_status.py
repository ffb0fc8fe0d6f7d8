"""What the watch over a served version has come to, and the retrains that followed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pawl.api.base import StatusModel, Time, Verdict

Concern = Literal["features", "prediction", "quality", "age", "performance", "fairness"]


class DriftFinding(StatusModel):
    """One feature, or the prediction, by one metric."""

    feature: Annotated[str, Field(max_length=128)]
    metric: Annotated[str, Field(max_length=32)]
    value: float
    threshold: float
    p_value: float | None = Field(
        None, description="Of the hypothesis that nothing has drifted; with correlated rows."
    )
    verdict: Verdict


class DriftWindow(StatusModel):
    """The window that was decided last."""

    start: Time
    end: Time
    samples: int
    rules: Annotated[str, Field(max_length=16)] = Field(
        "", description="Names the limits by which it was decided."
    )
    judged: int = Field(0, description="Features with enough rows.")
    drifted: Annotated[tuple[Annotated[str, Field(max_length=128)], ...], Field(max_length=10)] = (
        Field((), description="Features that failed, worst first; at most ten.")
    )
    failed: int = Field(0, description="How many failed.")
    verdict: Verdict
    reason: Annotated[str, Field(max_length=32)] = Field("", description="If it is Inconclusive.")
    concerns: Annotated[tuple[Concern, ...], Field(max_length=4)] = ()
    worst: Annotated[tuple[DriftFinding, ...], Field(max_length=5)] = ()
    message: Annotated[str, Field(max_length=512)] = ""


class LabelFinding(StatusModel):
    """Performance or fairness, as truth tells."""

    metric: Annotated[str, Field(max_length=64)]
    value: float | None = None
    interval: Annotated[tuple[float, ...], Field(max_length=2)] = Field((), description="At 95 %.")
    limit: float | None = None
    samples: int = 0
    verdict: Verdict
    message: Annotated[str, Field(max_length=512)] = ""


class LabelStatus(StatusModel):
    """What truth tells of the stable version: the running window, and what the last one said."""

    window_start: Time
    window_end: Time
    samples: int = Field(0, description="Answers of the running window whose truth is known.")
    decided_at: Time | None = None
    performance: LabelFinding | None = None
    fairness: LabelFinding | None = None


class DriftStatus(StatusModel):
    """The running window and the last decision."""

    version: Annotated[str, Field(max_length=63)] = Field(description="The one that is watched.")
    window_start: Time
    window_end: Time = Field(description="When it is decided, unless there are too few rows.")
    samples: int = Field(0, description="Rows in the running window.")
    checked_at: Time | None = Field(None, description="When `worst` was worked out.")
    worst: Annotated[tuple[DriftFinding, ...], Field(max_length=5)] = Field(
        (), description="Of the running window so far: for the eye only, nothing follows from it."
    )
    windows: int = Field(0, description="Decided since this version is the stable one.")
    decided: DriftWindow | None = None
    labels: LabelStatus | None = Field(None, description="Performance and fairness.")


class RetrainStatus(StatusModel):
    """Retraining, in short; the TrainingJobs tell the rest."""

    training_job: Annotated[str, Field(max_length=63)] | None = Field(
        None, description="The newest one."
    )
    last: Time | None = Field(None, description="When it was started.")
    outcome: Annotated[str, Field(max_length=32)] | None = None
    today: int = Field(0, description="Started in the last 24 hours, those without new data aside.")
    fruitless: int = Field(0, description="In a row; the breaker counts them.")
