"""Counts what a status that was just written tells for the first time.

By the difference from the status before, which is what the API server kept: a plan that is made
twice, or by an operator that has started anew, counts once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pawl.control import metrics
from pawl.control.kinds import DEPLOYMENTS, TRAINING_JOBS, Resource

Object = Mapping[str, Any]
_OPEN = ("Inconclusive", "Error")
_ENDED = ("Succeeded", "NoNewData", "Reproduced", "Differs", "Failed")
_OUTCOMES = ("Helped", "Trained", "Fruitless", "Failed", "NoNewData")


def count(resource: Resource, before: Object, after: Object) -> None:
    """Of an object whose status was `before` and is `after`."""
    if resource == TRAINING_JOBS:
        _run(before.get("run") or {}, after.get("run") or {})
    elif resource == DEPLOYMENTS:
        _decisions(before.get("history", ()), after.get("history", ()))
        _gates(before.get("rollout") or {}, after.get("rollout") or {})
        _window(before.get("drift") or {}, after.get("drift") or {})
        _retrain(before.get("retrain") or {}, after.get("retrain") or {})


def _run(before: Object, after: Object) -> None:
    phase = after.get("phase")
    if phase in _ENDED and (before.get("number"), before.get("phase")) != (after["number"], phase):
        metrics.RUNS.labels(phase).inc()


def _decisions(before: Any, after: Any) -> None:
    """Newest first, so the new ones are those in front of the one that was the newest."""
    for entry in after:
        if before and entry == before[0]:
            break
        metrics.DECISIONS.labels(entry["reason"]).inc()


def _gates(before: Object, after: Object) -> None:
    names = ("candidate", "attempt")
    same = [before.get(name) for name in names] == [after.get(name) for name in names]
    known = {_gate(gate): gate["verdict"] for gate in before.get("gates", ())} if same else {}
    for gate in after.get("gates", ()):
        verdict = gate["verdict"]
        if verdict not in _OPEN and known.get(_gate(gate)) != verdict:
            metrics.GATES.labels(gate["stage"], verdict).inc()


def _gate(gate: Object) -> tuple[str, str, str]:
    return gate["stage"], gate["metric"], gate.get("limit", "")


def _window(before: Object, after: Object) -> None:
    """A window that failed may be looked at again with other limits: another decision."""
    names = ("start", "end", "rules", "verdict")
    old, new = before.get("decided") or {}, after.get("decided") or {}
    if new and [old.get(name) for name in names] != [new.get(name) for name in names]:
        metrics.WINDOWS.labels(new["verdict"]).inc()


def _retrain(before: Object, after: Object) -> None:
    names = ("trainingJob", "outcome")
    outcome = after.get("outcome")
    if outcome in _OUTCOMES and [before.get(n) for n in names] != [after.get(n) for n in names]:
        metrics.RETRAINS.labels(outcome).inc()
