"""From a run's result to its ModelVersion: reserve a number, claim it, create, tell.

A run that found nothing new to train on ends without one.
"""

from __future__ import annotations

from pawl.api.base import GateStatus, Verdict
from pawl.artifacts.runs import NoNewData, RunResult
from pawl.core.conditions import timestamp
from pawl.core.manifests.modelversion import build_model_version, gate_status
from pawl.core.plan import ClaimNumber, Create, Event
from pawl.core.reasons import Reason
from pawl.core.recall import missing
from pawl.core.run_status import image_ids
from pawl.core.run_work import Work
from pawl.core.score import score
from pawl.core.versions import Version

#: Of a gate that is required.
_GATE: dict[Verdict, Reason] = {
    "Fail": "GateFail",
    "Inconclusive": "GateInconclusive",
    "Error": "GateError",
}


def publish(work: Work, made: Version | None, result: RunResult | None) -> None:
    """One step towards the ModelVersion of the current run. `made` is it, once it exists."""
    if made is not None:
        finish(work, made.name, result, made)
    elif result is not None and result.outcome == "Recorded":
        lost = missing(work.observed.recorded, work.observed.versions)
        work.draft.actions += [
            Create(item) for item in lost if item["metadata"]["name"] == result.artifact.name
        ]
        finish(work, result.artifact.name, result, None)
    elif result is not None:
        _make(work, result)


def nothing_new(work: Work, result: NoNewData) -> None:
    """The run has ended without a version, and nothing is wrong."""
    message, finished = result.sentence(), timestamp(work.now)
    work.update_run(phase="NoNewData", finished_at=finished, message=message)
    work.values |= {
        "progress": 100,
        "data_digest": result.data_digest,
        "completion_time": finished,
    }
    work.conditions.set("Complete", True, "NoNewData", message)
    work.conditions.set("Failed", False, "NoNewData", message)
    work.conditions.accept(ready=True, reason="NoNewData", message=message)
    work.conditions.drop("Suspended")
    work.draft.events.append(Event("NoNewData", message))


def _make(work: Work, result: RunResult) -> None:
    model, run = work.job.spec.model, work.run
    number = run.reserved_version
    taken = {version.number for version in work.versions}
    foreign = work.observed.claim is not None and work.observed.claim != work.key
    if number is None or number in taken or foreign:
        highest = max(taken | {work.observed.highest_claim, number or 0}, default=0)
        work.update_run(reserved_version=highest + 1, phase="Running")
        work.draft.requeue(0)
        return
    version = build_model_version(
        dict(work.observed.object), work.job.spec, result, number, image_ids(work.pods_of(None))
    )
    work.draft.actions += [
        ClaimNumber(work.meta["namespace"], model, number, work.key),
        Create(version),
    ]
    work.values["progress"] = 95
    work.draft.requeue(1)


def finish(
    work: Work, name: str, result: RunResult | None, made: Version | None, message: str = ""
) -> None:
    """The version is there: the run has succeeded, whatever its gates say."""
    gates: tuple[GateStatus, ...] = ()
    if made is not None:
        gates = made.spec.gates or ()
        work.values["metrics"] = made.spec.metrics
        work.values["data_digest"] = (
            made.spec.lineage.data.digest if made.spec.lineage and made.spec.lineage.data else None
        )
        work.update_run(reserved_version=made.number)
    if result is not None:
        gates = tuple(GateStatus.model_validate(gate_status(g.model_dump())) for g in result.gates)
        work.values["metrics"] = result.metrics
        work.values["data_digest"] = result.lineage.data.digest
        work.values["warnings"] = tuple(text[:512] for text in result.warnings[:16])
    failed = [gate for gate in gates if gate.required and gate.verdict != "Pass"]
    recorded = result is not None and result.outcome == "Recorded"
    message = message or f"{name}: " + (
        "; ".join(f"gate {gate.metric} {gate.verdict}: {gate.message}" for gate in failed)
        or ("recorded before for the same recipe and data" if recorded else "all gates passed")
    )
    finished = timestamp(work.now)
    work.update_run(
        phase="Succeeded", finished_at=finished, model_version=name, message=message[:1000]
    )
    work.values |= {
        "gates": gates,
        "progress": 100,
        "model_version": name,
        "score": score(work.values.get("metrics") or {}, work.job.spec.evaluation.metrics),
        "completion_time": finished,
    }
    work.conditions.set("DataValid", True, "ChecksPassed")
    work.conditions.set("Complete", True, "GateFailed" if failed else "Succeeded", message)
    work.conditions.set("Failed", False, "Succeeded")
    work.conditions.accept(ready=True, reason="Complete", message=message)
    work.conditions.drop("Suspended")
    for gate in gates:
        if gate.required and gate.verdict != "Pass":
            text = f"{gate.metric}: {gate.message}"
            work.draft.events.append(Event(_GATE[gate.verdict], text, "Warning"))
    for warning in work.values.get("warnings") or ():
        work.draft.events.append(Event("ModelWarning", warning, "Warning"))
    work.draft.events.append(Event("RunSucceeded", message))
