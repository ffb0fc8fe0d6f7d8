"""What came of the retrains of a Deployment, and whether another may be started.

The TrainingJobs are the memory: how many were started, when, and what came of each is read from
them (an annotation keeps an outcome in vain, which later facts would hide), so nothing is forgotten
with a status, however often the operator starts anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError

from pawl import constants as c
from pawl.api.deployment import ServedVersion
from pawl.api.drift import RetrainSpec
from pawl.api.duration import seconds, words
from pawl.api.trainingjob import TrainingJobStatus
from pawl.core.conditions import parse_timestamp
from pawl.core.versions import Version

Object = Mapping[str, Any]
#: Training, RollingOut: it goes on. Helped: what it gave is served, and the drift is gone, or was
#: not seen again yet. Trained: a pin keeps its version from being rolled out, so nothing is known
#: of it. The rest is how it ended in vain.
Outcome = Literal["Training", "RollingOut", "Helped", "Trained", "Fruitless", "Failed", "NoNewData"]
ACTIVE: tuple[Outcome, ...] = ("Training", "RollingOut")
IN_VAIN: tuple[Outcome, ...] = ("Fruitless", "Failed")
#: TrainingJobs that are kept when they are older than a day.
KEPT = 10
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Serving:
    """What the Deployment serves, which versions it has turned down, and whether it is pinned."""

    stable: ServedVersion
    rolled_back: frozenset[str]
    pinned: bool


@dataclass(frozen=True)
class Retrain:
    """One TrainingJob that drift has started."""

    name: str
    started: datetime
    outcome: Outcome
    message: str = ""
    noted: bool = False
    version: str | None = None


@dataclass(frozen=True)
class Situation:
    """`retrains` newest first; `reset` names the retrain up to which the breaker forgets (names of
    one Deployment are in the order of time)."""

    spec: RetrainSpec
    retrains: tuple[Retrain, ...]
    reset: str
    now: datetime
    told: datetime | None = None  # when the last one was started, by the status

    @property
    def last(self) -> datetime | None:
        """When the last one was started. Its TrainingJob may have been deleted since."""
        known = [retrain.started for retrain in self.retrains[:1]]
        return max([*known, *([self.told] if self.told is not None else [])], default=None)

    @property
    def fruitless(self) -> int:
        """Retrains in vain, in a row; what was not trained or not rolled out tells nothing."""
        count = 0
        for retrain in self.retrains:
            if retrain.name <= self.reset or retrain.outcome == "Helped":
                break
            count += retrain.outcome in IN_VAIN
        return count

    @property
    def today(self) -> int:
        """Started in the last 24 hours; runs without new data do not count."""
        return sum(
            1 for r in self.retrains if self.now - r.started < _DAY and r.outcome != "NoNewData"
        )

    @property
    def open(self) -> bool:
        """Whether the breaker stops retraining."""
        return self.fruitless >= self.spec.breaker.fruitless

    def hindrance(self) -> tuple[str, str, float | None]:
        """Why none may be started now: reason, sentence, and the seconds until it may; an empty
        reason when one may."""
        active = next((r for r in self.retrains if r.outcome in ACTIVE), None)
        if active is not None:
            return active.outcome, f"{active.name}: {active.message}", None
        if self.open:
            text = (
                f"{self.fruitless} retrains in a row did not help; see them, then run `pawl reset`"
            )
            return "BreakerOpen", text, None
        cooldown = seconds(self.spec.cooldown)
        if self.last is not None:
            left = cooldown - (self.now - self.last).total_seconds()
            if left > 0:
                text = (
                    f"the last was started less than {self.spec.cooldown} ago; {words(left)} left"
                )
                return "Cooldown", text, left
        if self.today >= self.spec.max_per_day:
            counted = [r.started for r in self.retrains if r.outcome != "NoNewData"]
            oldest = counted[self.spec.max_per_day - 1]
            left = (oldest + _DAY - self.now).total_seconds()
            return "DailyLimit", f"{self.today} were started in 24 hours (maxPerDay)", left
        return "", "", None


def read(
    jobs: Iterable[Object], versions: tuple[Version, ...], serving: Serving
) -> tuple[Retrain, ...]:
    """The retrains of a Deployment, newest first."""
    known = {version.name: version for version in versions}
    found = [_retrain(job, known, serving) for job in jobs]
    return tuple(sorted(found, key=lambda r: (r.started, r.name), reverse=True))


def _retrain(job: Object, versions: Mapping[str, Version], serving: Serving) -> Retrain:
    meta = job["metadata"]
    started = parse_timestamp(meta["creationTimestamp"])
    outcome, message = _outcome(job, versions, serving)
    noted = meta.get("annotations", {}).get(c.ANNOTATION_OUTCOME)
    if noted in IN_VAIN:
        outcome, message = noted, message or "the drift came back"
    made = (job.get("status", {}).get("run") or {}).get("modelVersion")
    return Retrain(meta["name"], started, outcome, message, noted in IN_VAIN, made)


def _outcome(job: Object, versions: Mapping[str, Version], serving: Serving) -> tuple[Outcome, str]:
    try:
        status = TrainingJobStatus.model_validate(job.get("status") or {})
    except ValidationError:
        return "Failed", "its status cannot be read"
    run = status.run
    if run is None:
        return _not_run(status)
    if run.phase in ("Pending", "Running"):
        return "Training", f"{status.progress or 0} % done"
    if run.phase == "NoNewData":
        return "NoNewData", run.message
    if run.phase != "Succeeded" or run.model_version is None:
        return "Failed", run.message
    return _of_version(run.model_version, versions, serving)


def _not_run(status: TrainingJobStatus) -> tuple[Outcome, str]:
    """It is about to, or its spec cannot be acted on."""
    stalled = (x.message for x in status.conditions if (x.type, x.status) == ("Stalled", "True"))
    message = next(stalled, None)
    return ("Training", "0 % done") if message is None else ("Failed", message)


def _of_version(
    name: str, versions: Mapping[str, Version], serving: Serving
) -> tuple[Outcome, str]:
    stable = serving.stable
    if name in serving.rolled_back:
        return "Fruitless", f"{name} was rolled back"
    version = versions.get(name)
    if name == stable.name or (version is not None and version.number < stable.version):
        return "Helped", f"{name} is served" if name == stable.name else f"{name} was overtaken"
    if version is None:
        return "Fruitless", f"{name} was deleted"
    if version.rejected:
        return "Fruitless", f"{name} is rejected: {_failed_gates(version)}"
    if serving.pinned:
        return "Trained", f"{name} is not rolled out: spec.version pins another"
    return "RollingOut", f"{name} is trained" if version.approved else f"{name} waits for approval"


def _failed_gates(version: Version) -> str:
    failed = [g for g in version.spec.gates or () if g.required and g.verdict != "Pass"]
    return failed[0].message if failed else version.failure or version.spec.approval


def surplus(retrains: tuple[Retrain, ...], now: datetime) -> tuple[Retrain, ...]:
    """Those that nobody needs any more: neither limits nor breaker look at them."""
    return tuple(r for r in retrains[KEPT:] if now - r.started > _DAY and r.outcome not in ACTIVE)
