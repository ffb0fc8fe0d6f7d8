"""A run that makes a version again (spec.reproduces): what it is told, and how it ends."""

from __future__ import annotations

from typing import Any

from pawl.api.trainingjob import ComparedFile
from pawl.artifacts.records import Window
from pawl.artifacts.runs import Reproduction
from pawl.core.conditions import timestamp
from pawl.core.plan import Event
from pawl.core.run_work import Work
from pawl.core.versions import Version


def problem(work: Work) -> str | None:
    """Why there is nothing that could be compared; None when there is."""
    name = work.job.spec.reproduces
    if name is None:
        return None
    version = _version(work)
    if version is None:
        return f"there is no ModelVersion {name} of {work.job.spec.model}"
    lineage = version.spec.lineage
    if lineage is None or lineage.training_job is None or lineage.data is None:
        return f"{name} was imported: no run is known that could be repeated"
    beside = lineage.parent if lineage.data.window is not None else None
    if beside is not None and _named(work, beside) is None:
        return (
            f"{name} is of a retrain, with scores of {beside} on the same rows; there is no "
            f"ModelVersion {beside} any more"
        )
    return None


def changes(work: Work) -> dict[str, Any]:
    """Of run.json: the version, the data that there must be, and how they are cut. Of a champion's
    scores a bundle has those after a retrain only. Rows after the newest one of then were of the
    future."""
    version = _version(work)
    lineage = version.spec.lineage if version else None
    if version is None or lineage is None or lineage.data is None:
        return {}
    data = lineage.data
    told: dict[str, Any] = {"reproduces": version.reference(), "data_digest": data.digest}
    if data.newest is not None:
        told["started_at"] = data.newest
    if data.window is None:
        return {**told, "champion": None}
    champion = _named(work, lineage.parent)
    return {
        **told,
        "window": Window(**data.window.model_dump()),
        "champion": champion.reference() if champion else None,
    }


def finish(work: Work, result: Reproduction) -> None:
    """The run has ended without a version; that files differ is a finding, not a failure."""
    message, finished = result.sentence(), timestamp(work.now)
    work.update_run(phase=result.outcome, finished_at=finished, message=message[:1000])
    work.values |= {
        "progress": 100,
        "data_digest": result.data_digest,
        "completion_time": finished,
        "files": tuple(
            ComparedFile(name=f.name, same=f.same, expected=f.expected, found=f.found)
            for f in result.files
        ),
    }
    same = result.outcome == "Reproduced"
    work.conditions.set("DataValid", True, "ChecksPassed")
    work.conditions.set("Complete", True, result.outcome, message)
    work.conditions.set("Failed", False, result.outcome)
    work.conditions.accept(ready=True, reason=result.outcome, message=message)
    work.conditions.drop("Suspended")
    told = Event("Reproduced", message) if same else Event("NotReproduced", message, "Warning")
    work.draft.events.append(told)


def _version(work: Work) -> Version | None:
    return _named(work, work.job.spec.reproduces)


def _named(work: Work, name: str | None) -> Version | None:
    return next((version for version in work.versions if version.name == name), None)
