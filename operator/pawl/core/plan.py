"""What a planner answers: the changes to make, the status to write, the events to tell.

The shell (`pawl.control.executor`) carries a plan out in this order: actions, status, events,
and what is done afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pawl.artifacts.trials import Trial
from pawl.core.reasons import Reason

#: A Kubernetes object as JSON.
Object = Mapping[str, Any]


@dataclass(frozen=True)
class Apply:
    """Server-side apply with Pawl's field manager."""

    object: Object


@dataclass(frozen=True)
class Create:
    """Create; it is well when it exists already with the same run label. For objects whose
    template is immutable or that others write to as well (Jobs, ModelVersions)."""

    object: Object


@dataclass(frozen=True)
class MergePatch:
    """A merge patch of one existing object."""

    api_version: str
    kind: str
    namespace: str
    name: str
    patch: Object


@dataclass(frozen=True)
class Delete:
    """Delete in the background; gone already is well."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True)
class ClaimNumber:
    """Write the claim of a ModelVersion number to the store, if nobody has it yet."""

    namespace: str
    model: str
    number: int
    key: str  # who claims it: <TrainingJob uid>-<run>


@dataclass(frozen=True)
class RecordDecision:
    """Append to the decision record of a model in the store, if not there yet: to the log of what
    was asked for and decided, or to the `versions` that there were."""

    namespace: str
    model: str
    name: str  # file name; the same decision has the same name
    content: Object
    folder: Literal["log", "versions"] = "log"


@dataclass(frozen=True)
class KeepHour:
    """Write to the store what a version of a Deployment saw in an hour (since 1970), if it is not
    there. The plan does not depend on it: what fails is planned again."""

    namespace: str
    deployment: str
    version: str
    hour: int
    data: bytes


@dataclass(frozen=True)
class EnsureSecret:
    """Create a Secret with a random `key` (32 bytes, base64) of `owner`, unless it exists."""

    namespace: str
    name: str
    owner: Object


@dataclass(frozen=True)
class RecordTrial:
    """Write a trial of the search that began in `run` to the store, if it is not there."""

    uid: str
    run: int
    trial: Trial


@dataclass(frozen=True)
class RecordTrials:
    """Write the table of all trials of a run's search to the store, if it is not there."""

    uid: str
    run: int
    lines: bytes


Action = (
    EnsureSecret
    | Apply
    | Create
    | MergePatch
    | Delete
    | ClaimNumber
    | RecordDecision
    | KeepHour
    | RecordTrial
    | RecordTrials
)


@dataclass(frozen=True)
class Event:
    """A Kubernetes event on the object that is planned for."""

    reason: Reason
    message: str
    type: Literal["Normal", "Warning"] = "Normal"


@dataclass(frozen=True)
class Plan:
    """What to do now. `status` None leaves the status as it is; `requeue_after` is in seconds.
    What is done `afterwards` may be refused, by a quota, say, without holding up the rest."""

    status: Object | None = None
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None
    afterwards: tuple[Action, ...] = ()


@dataclass
class Draft:
    """A plan in the making, local to one planner call."""

    actions: list[Action] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    requeue_after: float | None = None
    afterwards: list[Action] = field(default_factory=list)
    #: For the decision record, after all other actions: nothing waits for them.
    lines: list[RecordDecision] = field(default_factory=list)

    def requeue(self, seconds: float) -> None:
        """Look again after `seconds`, or sooner when something else asked for sooner."""
        if self.requeue_after is None or seconds < self.requeue_after:
            self.requeue_after = seconds

    def finish(self, status: Object) -> Plan:
        """The plan."""
        return Plan(
            status,
            (*self.actions, *self.lines),
            tuple(self.events),
            self.requeue_after,
            tuple(self.afterwards),
        )
