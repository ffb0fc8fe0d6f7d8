"""What one planning pass of a TrainingJob looks at, and what it has in hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pawl import constants as c
from pawl.api.trainingjob import RunStatus, TrainingJob
from pawl.artifacts.records import NoNewData, RunResult
from pawl.core.conditions import Conditions
from pawl.core.installation import Installation
from pawl.core.plan import Draft
from pawl.core.versions import Version

Object = Mapping[str, Any]
FINISHED = ("Succeeded", "NoNewData", "Failed", "Superseded")


@dataclass(frozen=True)
class TrainingJobObserved:
    """All that is looked at.

    `result` is the result.json of the current run, if the store has one; `store_error` says that
    the store could not be asked. `highest_claim` is the highest number claimed for the model in
    the store, `claim` who holds the number that `status.run` has reserved. `recorded` are the
    ModelVersions that the store knows of the recipe, whether or not they are in the cluster.
    """

    object: Object
    jobs: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    versions: tuple[Object, ...] = ()
    deployments: tuple[Object, ...] = ()
    result: RunResult | NoNewData | None = None
    store_error: str | None = None
    highest_claim: int = 0
    claim: str | None = None
    recorded: tuple[Object, ...] = ()


@dataclass
class Work:
    """What one planning pass has in hand."""

    observed: TrainingJobObserved
    job: TrainingJob
    versions: tuple[Version, ...]
    conditions: Conditions
    now: datetime
    installation: Installation
    draft: Draft = field(default_factory=Draft)
    values: dict[str, Any] = field(default_factory=dict)  # fields of the new status

    @property
    def meta(self) -> Object:
        """metadata of the TrainingJob."""
        return self.observed.object["metadata"]  # type: ignore[no-any-return]

    @property
    def key(self) -> str:
        """Names the current run for ever."""
        return f"{self.meta['uid']}-{self.run.number}"

    @property
    def run(self) -> RunStatus:
        """The current run, as planned so far."""
        return self.values["run"]  # type: ignore[no-any-return]

    def update_run(self, **changes: Any) -> None:
        """Change the current run."""
        self.values["run"] = self.run.model_copy(update=changes)

    def job_of(self, number: int) -> Object | None:
        """The Job of a run, while there is one."""
        return next((job for job in self.observed.jobs if run_of(job) == number), None)


def run_of(job: Object) -> int:
    """The number of the run that a Job is of."""
    return int(job["metadata"].get("labels", {}).get(c.LABEL_RUN, "0"))
