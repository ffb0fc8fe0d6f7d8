"""What the demo has seen, as records that tables and the report are made of.

Times are seconds since the demo began. Every write of the Deployment's status is looked at; what
came of versions, gates and events is read at the end.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pawl.cli.demo.apply import NAMESPACE
from pawl.constants import API_VERSION
from pawl.control.kinds import DEPLOYMENTS, EVENTS, MODEL_VERSIONS, TRAINING_JOBS
from pawl.control.kube import Kube

Object = Mapping[str, Any]
EVERY_EVENT = replace(EVENTS, selector="")
_LONGEST = 600  # seconds of one watch


@dataclass(frozen=True)
class Share:
    """What a version gets: per cent of the requests, or of their copies (`shadow`)."""

    version: str
    role: str
    weight: int


@dataclass(frozen=True)
class Moment:
    """From `at` on the requests went there."""

    at: float
    shares: tuple[Share, ...]


@dataclass(frozen=True)
class Index:
    """How far a feature is from the baseline."""

    feature: str
    metric: str
    value: float
    threshold: float
    verdict: str


@dataclass(frozen=True)
class Window:
    """One that was decided; `worst` are the five features that are nearest to their thresholds, or
    furthest beyond."""

    start: float
    end: float
    version: str
    samples: int
    verdict: str
    message: str
    worst: tuple[Index, ...]


@dataclass(frozen=True)
class Gate:
    """What was decided on a version: after training, or in a stage of the rollout."""

    version: str
    stage: str
    metric: str
    limit: str
    verdict: str
    message: str

    @property
    def name(self) -> str:
        """In a word or two: min, champion, shadow, canary."""
        return self.limit.split()[0] if self.stage == "training" else self.stage


@dataclass(frozen=True)
class Fate:
    """A version: where it comes from (and, for a retrain, why), and how it ended."""

    name: str
    at: float
    origin: str
    metrics: Mapping[str, float]
    stage: str
    ended: str


@dataclass(frozen=True)
class Told:
    """An event of one of Pawl's objects."""

    at: float
    about: str
    reason: str
    message: str
    warning: bool


@dataclass
class Story:
    """`begun`: epoch seconds. `marks` are what the demo itself did, and when."""

    begun: float
    marks: list[tuple[float, str]] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    gates: dict[tuple[str, str, str], Gate] = field(default_factory=dict)
    fates: list[Fate] = field(default_factory=list)
    events: list[Told] = field(default_factory=list)
    took: float = 0.0

    def clock(self) -> float:
        """Now."""
        return time.time() - self.begun

    def mark(self, text: str) -> None:
        """Something is done now."""
        self.marks.append((self.clock(), text))

    def look(self, status: Object, at: float) -> None:
        """At a Deployment's status: what is new in it is added."""
        shares = tuple(
            Share(t["version"], t["role"], t["weight"]) for t in status.get("traffic", ())
        )
        if shares and (not self.moments or self.moments[-1].shares != shares):
            self.moments.append(Moment(at, shares))
        drift, rollout = status.get("drift") or {}, status.get("rollout") or {}
        if decided := drift.get("decided"):
            window = self._window(str(drift["version"]), decided)
            if not self.windows or self.windows[-1] != window:
                self.windows.append(window)
        for gate in rollout.get("gates", ()):
            begun = gate["verdict"] != "Inconclusive" or gate["stage"] == rollout["phase"].lower()
            if begun and gate["metric"] != "traffic_split":
                found = _gate(rollout["candidate"], gate["stage"], gate)
                self.gates[found.version, found.stage, found.metric] = found

    def finish(
        self,
        deployment: Object,
        versions: Iterable[Object],
        jobs: Iterable[Object],
        events: Iterable[Object],
    ) -> None:
        """With what there is at the end."""
        rollouts, self.gates = self.gates, {}
        status = deployment.get("status", {})
        runs = {job["metadata"]["name"]: job for job in jobs}
        for version in sorted(versions, key=lambda item: item["spec"]["version"]):
            name, spec = version["metadata"]["name"], version["spec"]
            self.fates.append(
                Fate(
                    name,
                    self._at(version["metadata"]["creationTimestamp"]),
                    _origin(spec, runs),
                    spec.get("metrics", {}),
                    version.get("status", {}).get("stage", ""),
                    _ended(name, status),
                )
            )
            for gate in spec.get("gates", ()):
                limit = f"{gate['kind']} {gate['limit']:g}"
                found = _gate(name, "training", {**gate, "limit": limit})
                self.gates[name, "training", f"{gate['metric']} {gate['kind']}"] = found
        self.gates |= rollouts
        ours = (e for e in events if e["involvedObject"].get("apiVersion") == API_VERSION)
        self.events = sorted(map(self._told, ours), key=lambda told: told.at)
        self.took = self.clock()

    def _window(self, version: str, decided: Object) -> Window:
        keys = ("feature", "metric", "value", "threshold", "verdict")
        return Window(
            self._at(decided["start"]),
            self._at(decided["end"]),
            version,
            decided["samples"],
            decided["verdict"],
            decided.get("message", ""),
            tuple(Index(*(found[key] for key in keys)) for found in decided.get("worst", ())),
        )

    def _told(self, event: Object) -> Told:
        about = event["involvedObject"]
        return Told(
            self._at(event["firstTimestamp"]),
            f"{about['kind']} {about['name']}",
            event["reason"],
            event["message"],
            event["type"] == "Warning",
        )

    def _at(self, timestamp: str) -> float:
        return datetime.fromisoformat(timestamp).timestamp() - self.begun


async def watch(kube: Kube, story: Story) -> None:
    """Looks at every change of the Deployment, until it is cancelled."""
    while True:
        items, since = await kube.list(DEPLOYMENTS, NAMESPACE)
        for item in items:
            story.look(item.get("status") or {}, story.clock())
        async for event in kube.watch(DEPLOYMENTS, NAMESPACE, since, _LONGEST):
            if event["type"] in ("ADDED", "MODIFIED"):
                story.look(event["object"].get("status") or {}, story.clock())


async def finish(kube: Kube, story: Story) -> None:
    """Reads what there is at the end."""
    kinds = (DEPLOYMENTS, MODEL_VERSIONS, TRAINING_JOBS, EVERY_EVENT)
    (deployment, *_), *others = [(await kube.list(kind, NAMESPACE))[0] for kind in kinds]
    story.finish(deployment, *others)


def _gate(version: str, stage: str, gate: Object) -> Gate:
    keys = ("metric", "limit", "verdict", "message")
    return Gate(version, stage, *(str(gate.get(key, "")) for key in keys))


def _origin(spec: Object, jobs: Mapping[str, Object]) -> str:
    job = spec.get("lineage", {}).get("trainingJob", {}).get("name")
    if job is None:
        return "imported"
    cause = jobs[job]["spec"].get("cause") if job in jobs else None
    return f"{job}: {cause['reason']}" if cause else str(job)


def _ended(name: str, status: Object) -> str:
    """Why it is served or is not."""
    if (status.get("stable") or {}).get("name") == name:
        return "is served"
    for entry in status.get("rolledBack", ()):
        if entry["version"] == name:
            return f"rolled back: {entry['message']}"
    served = [entry["version"] for entry in status.get("history", ())]  # newest first
    later = served[: served.index(name)] if name in served else []
    promoted = [other for other in later if not _rolled_back(other, status)]
    return f"made way for {promoted[-1]}" if promoted else "never served"


def _rolled_back(name: str, status: Object) -> bool:
    return any(entry["version"] == name for entry in status.get("rolledBack", ()))
