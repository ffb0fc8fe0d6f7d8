"""Retraining: when drift is worth a successor, one TrainingJob at a time, and never a storm.

A TrainingJob copies the recipe that `retrain.from` names, and records why. What it gives is a
version like any other: its gates and the rollout decide. It is named by the minute in which it is
started, and numbered when there is one of that minute already: two operators that do the same
start one, and no name is used twice.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pawl import constants as c
from pawl.api.deployment import ServedVersion
from pawl.api.drift import RetrainSpec
from pawl.api.drift_status import DriftStatus, DriftWindow, RetrainStatus
from pawl.api.triggers import TRIGGERS
from pawl.core import kueue
from pawl.core.conditions import Conditions, parse_timestamp, timestamp
from pawl.core.manifests.common import metadata
from pawl.core.plan import Action, Create, Delete, Event, MergePatch, RecordDecision
from pawl.core.reasons import Reason
from pawl.core.versions import Version
from pawl.core.watch import _outcomes
from pawl.core.watch._outcomes import IN_VAIN, Outcome, Retrain, Serving, Situation

Object = Mapping[str, Any]
#: Outcomes of which an event tells, beside those in vain.
_TOLD: Mapping[Outcome, Reason] = {"NoNewData": "NoNewData", "Trained": "Trained"}
_OTHER = 60.0  # seconds until the next look when only others can change something


@dataclass(frozen=True)
class Alarm:
    """Why a successor may be wanted: what has drifted, in a sentence, since which window."""

    reason: str
    message: str
    window: str | None
    concerns: tuple[str, ...]
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What `follow` looks at. `jobs` are the TrainingJobs that the Deployment (`item`) owns,
    `recipe` is the one that `spec.from` names; `label_delay` is the drift's. Of a `pinned`
    Deployment no successor is rolled out."""

    item: Object
    model: str
    spec: RetrainSpec
    retrains: bool
    stable: ServedVersion
    versions: tuple[Version, ...]
    rolled_back: frozenset[str]
    jobs: tuple[Object, ...]
    recipe: Object | None
    reset: str
    now: datetime
    label_delay: str | None = None
    pinned: bool = False


@dataclass
class Followed:
    """What follows. To start `training` may be refused, which must not hold up the rest."""

    status: RetrainStatus | None
    actions: list[Action] = field(default_factory=list)
    training: Create | None = None
    events: list[Event] = field(default_factory=list)
    requeue: float | None = None
    lines: list[RecordDecision] = field(default_factory=list)


def follow(
    asked: Asked,
    old: RetrainStatus | None,
    drift: DriftStatus,
    alarm: Alarm | None,
    conditions: Conditions,
) -> Followed:
    """One step: outcomes are noted, what is old is removed, and perhaps one is started."""
    serving = Serving(asked.stable, asked.rolled_back, asked.pinned)
    retrains = _outcomes.read(asked.jobs, asked.versions, serving)
    retrains = _with_drift_back(retrains, drift, asked.stable)
    found = Followed(None)
    for retrain in retrains:
        _note(asked, retrain, found)
    for retrain in _outcomes.surplus(retrains, asked.now):
        found.actions.append(_deletion(asked, retrain))
    told = parse_timestamp(old.last) if old is not None and old.last is not None else None
    situation = Situation(asked.spec, retrains, asked.reset, asked.now, told)
    reason, message, wait = _hindrance(asked, situation, alarm)
    if not reason and alarm is not None:
        name = name_of(asked.item["metadata"]["name"], asked.now, [r.name for r in retrains])
        found.training = Create(_training_job(asked, name, alarm))
        reason, message, wait = "Training", f"{name} is being started: {alarm.message}", None
    active = reason in _outcomes.ACTIVE
    _tell(reason, message, conditions.reason("Retraining"), found)
    conditions.set("Retraining", active, reason, message)
    found.requeue = wait
    found.status = _status(asked, situation, old, found)
    return found


def _tell(reason: str, message: str, before: str, found: Followed) -> None:
    """What somebody has to see to, once; and that it is over."""
    if reason != before:
        if reason == "BreakerOpen":
            found.events.append(Event("BreakerOpen", message, "Warning"))
        elif reason == "NoRecipe":
            found.events.append(Event("NoRecipe", message, "Warning"))
        if before == "BreakerOpen":
            found.events.append(Event("BreakerClosed", "drift may start retrains again"))


def name_of(deployment: str, now: datetime, taken: Collection[str] = ()) -> str:
    """At most 40 characters; of one Deployment they are in the order of time."""
    stem = f"{deployment[:23].rstrip('-')}-{now:%Y%m%d-%H%M}"
    return next(
        name for name in (stem, *(f"{stem}-{n}" for n in range(2, 10))) if name not in taken
    )


def _with_drift_back(
    retrains: tuple[Retrain, ...], drift: DriftStatus, stable: ServedVersion
) -> tuple[Retrain, ...]:
    """A successor that drifts in its very first window has not helped."""
    decided = drift.decided
    if decided is None or decided.verdict != "Fail" or not _first(drift, decided, stable):
        return retrains
    return tuple(
        Retrain(r.name, r.started, "Fruitless", "the drift was back at once", r.noted, r.version)
        if r.outcome == "Helped" and r.version == stable.name
        else r
        for r in retrains
    )


def _first(drift: DriftStatus, decided: DriftWindow, stable: ServedVersion) -> bool:
    """Whether it is the version's first window: a status that was lost begins to count anew."""
    start, end = parse_timestamp(decided.start), parse_timestamp(decided.end)
    since = parse_timestamp(stable.since) if stable.since is not None else start
    return drift.windows <= 1 and start - since < end - start


def _hindrance(
    asked: Asked, situation: Situation, alarm: Alarm | None
) -> tuple[str, str, float | None]:
    reason, message, wait = situation.hindrance()
    if reason in _outcomes.ACTIVE or reason == "BreakerOpen":
        return reason, message, wait
    return _unasked(asked, alarm) or (reason, message, wait)


def _unasked(asked: Asked, alarm: Alarm | None) -> tuple[str, str, float | None] | None:
    """Why nobody wants a successor, or none could be trained."""
    if alarm is None:
        return "Idle", "", None
    if not asked.retrains:
        return "NotAsked", "drift.action is notify", None
    if not set(alarm.concerns) & set(asked.spec.causes):
        return "NotAsked", f"retrain.when leaves out {', '.join(alarm.concerns)}", None
    name = asked.spec.from_
    if asked.recipe is None:
        return "NoRecipe", f"there is no TrainingJob {name} (retrain.from)", _OTHER
    if asked.recipe.get("spec", {}).get("model") != asked.model:
        return "NoRecipe", f"TrainingJob {name} does not train {asked.model}", _OTHER
    return None


def _note(asked: Asked, retrain: Retrain, found: Followed) -> None:
    """Told once: when it is noted."""
    if retrain.outcome not in IN_VAIN or retrain.noted:
        return
    patch = {"metadata": {"annotations": {c.ANNOTATION_OUTCOME: retrain.outcome}}}
    namespace = asked.item["metadata"]["namespace"]
    found.actions.append(MergePatch(c.API_VERSION, "TrainingJob", namespace, retrain.name, patch))
    reason: Reason = "RetrainFailed" if retrain.outcome == "Failed" else "RetrainFruitless"
    found.events.append(Event(reason, f"{retrain.name}: {retrain.message}", "Warning"))


def _status(
    asked: Asked, situation: Situation, old: RetrainStatus | None, found: Followed
) -> RetrainStatus:
    newest = situation.retrains[0] if situation.retrains else None
    last = timestamp(situation.last) if situation.last is not None else None
    if newest is None:
        return RetrainStatus(last=last)
    if situation.told is None or newest.started > situation.told:
        found.events.append(Event("RetrainStarted", f"TrainingJob {newest.name} is started"))
        found.lines.append(_line(asked, newest))
    elif newest.outcome in _TOLD and _became(old, newest):
        found.events.append(Event(_TOLD[newest.outcome], f"{newest.name}: {newest.message}"))
    return RetrainStatus(
        training_job=newest.name,
        last=last,
        outcome=newest.outcome,
        today=situation.today,
        fruitless=situation.fruitless,
    )


def _line(asked: Asked, retrain: Retrain) -> RecordDecision:
    """For the decision record: what was started, and why."""
    meta, at = asked.item["metadata"], timestamp(retrain.started)
    job = next(j for j in asked.jobs if j["metadata"]["name"] == retrain.name)
    content = {
        "deployment": meta["name"],
        "trainingJob": retrain.name,
        "version": asked.stable.name,
        "reason": "RetrainStarted",
        "message": ((job.get("spec") or {}).get("cause") or {}).get("message", ""),
        "at": at,
    }
    name = f"{at}-{meta['name']}-{retrain.name}-RetrainStarted"
    return RecordDecision(meta["namespace"], asked.model, name, content)


def _became(old: RetrainStatus | None, retrain: Retrain) -> bool:
    if old is None or old.training_job != retrain.name:
        return False
    return old.outcome != retrain.outcome


def _training_job(asked: Asked, name: str, alarm: Alarm) -> Object:
    meta = asked.item["metadata"]
    spec = copy.deepcopy(dict(asked.recipe["spec"])) if asked.recipe else {}
    for key in ("suspend", *TRIGGERS):  # drift says when
        spec.pop(key, None)
    served = next((v for v in asked.versions if v.name == asked.stable.name), None)
    data = served.spec.lineage.data if served is not None and served.spec.lineage else None
    cause = {
        "deployment": meta["name"],
        "reason": alarm.reason,
        "message": alarm.message[:512],
        "window": alarm.window,
        "features": list(alarm.features),
        "dataDigest": data.digest if data is not None else None,
        "dataNewest": data.newest if data is not None else None,
        "labelDelay": asked.label_delay,
        "minLabelled": asked.spec.min_labelled,
    }
    spec["cause"] = {key: value for key, value in cause.items() if value}
    queued = kueue.labels(asked.recipe or {})
    labels = {c.LABEL_DEPLOYMENT: meta["name"], c.LABEL_MODEL: asked.model, **queued}
    return {
        "apiVersion": c.API_VERSION,
        "kind": "TrainingJob",
        "metadata": metadata(name, meta["namespace"], dict(asked.item), labels),
        "spec": spec,
    }


def _deletion(asked: Asked, retrain: Retrain) -> Delete:
    job = next(j for j in asked.jobs if j["metadata"]["name"] == retrain.name)
    meta = job["metadata"]
    return Delete(c.API_VERSION, "TrainingJob", meta["namespace"], meta["name"], meta["uid"])
