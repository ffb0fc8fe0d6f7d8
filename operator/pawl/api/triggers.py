"""What starts runs of a TrainingJob beside a change of its recipe: a schedule, and new data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pawl.api import cron
from pawl.api.base import ApiModel, Digest, StatusModel, Time, cel
from pawl.api.duration import Duration

Schedule = Annotated[str, Field(max_length=100, json_schema_extra=cron.validations())]
TimeZone = Annotated[str, Field(min_length=1, max_length=64)]
ConcurrencyPolicy = Literal["Forbid", "Replace"]
HistoryLimit = Annotated[int, Field(ge=0, le=10)]


#: Fields of the spec that say when runs start by themselves.
TRIGGERS = (
    "schedule",
    "timeZone",
    "startingDeadlineSeconds",
    "concurrencyPolicy",
    "onDataChange",
)


class OnDataChange(ApiModel):
    """Looks at the data again and again while no run is going on, and starts a run when their
    content is not that of the last run."""

    model_config = cel(
        (
            "!self.interval.matches('^(0*[dhm])*0*[0-9]s$') && "
            "!self.interval.matches('^(0*[dhms])+$')",
            "interval is 10s at least",
        ),
    )
    interval: Duration = Field(
        description="From one look to the next, 10s at least. Each is a Job, which reads the data "
        "when sizes, ETags or times of files are not those of the look before."
    )


#: Rules for the spec of a TrainingJob.
RULES = (
    (
        "has(self.schedule) || (!has(self.timeZone) && !has(self.startingDeadlineSeconds) && "
        "!has(self.concurrencyPolicy))",
        "timeZone, startingDeadlineSeconds and concurrencyPolicy are for a schedule",
    ),
)


class ScheduleStatus(StatusModel):
    """Where a schedule is."""

    of: Annotated[str, Field(max_length=170)] = Field(
        description="The schedule and its time zone; when they change, the times begin anew."
    )
    handled: Time = Field(
        description="Times up to this one have had their run, or have been missed."
    )
    next: Time | None = Field(None, description="When the next run is due.")


class PollStatus(StatusModel):
    """The last look at the data."""

    number: int = 0
    at: Time
    running: bool = False
    digest: Digest | None = Field(None, description="What the data were then.")
    validator: Digest | None = Field(
        None,
        description="What the sources told of their files then; while it is the same, they are "
        "not read again.",
    )
    message: Annotated[str, Field(max_length=512)] = Field(
        "", description="Why it could not be told."
    )
