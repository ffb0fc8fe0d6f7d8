"""What the decision record tells a cluster that has forgotten everything.

The store outlives a cluster. From the record, a Deployment that was applied anew learns which
version was its stable one and which candidates had failed, and ModelVersions come back as they
were: the champion is served at once, and what was not proved is tried, not shipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pawl import constants as c
from pawl.api.deployment import ServedVersion
from pawl.api.rollout_status import RolledBack
from pawl.core.failures import Failures, remember
from pawl.core.plan import RecordDecision
from pawl.core.serving_children import Memory

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Recorded:
    """What the record holds of a Deployment: the end of its `log`, newest first, and the
    ModelVersions that it names. `error` says that the store could not be asked."""

    log: tuple[Object, ...] = ()
    versions: tuple[Object, ...] = ()
    error: str | None = None


def recall(log: Sequence[Object], generation: int) -> Memory:
    """The stable version and the failures as the log tells them. Failures count for the present
    `generation` of the Deployment: it is the spec that they were tried with, applied again."""
    stable = next((served for entry in log if (served := _served(entry)) is not None), None)
    latest: dict[str, RolledBack] = {}
    for entry in log:
        found = _failed(entry)
        if found is not None and (stable is None or found.version != stable.name):
            latest.setdefault(found.version, found)
    failures: Failures = ()
    for found in reversed(latest.values()):
        failures = remember(failures, found.model_copy(update={"generation": generation}))
    return Memory(stable, failures)


def tells_stable(path: str) -> bool:
    """Whether a file of the log, by its name, may tell which version became the stable one."""
    return path.endswith(
        tuple(f"-{reason}.json" for reason in ("Promoted", "Pinned", "RolledBack"))
    )


def wanted(log: Sequence[Object], pin: str) -> dict[str, str | None]:
    """The ModelVersions that a Deployment needs: name -> digest, None for any. `pin` is
    spec.version."""
    found: dict[str, str | None] = {} if pin == "latest" else {pin: None}
    stable = recall(log, 0).stable
    return found if stable is None else {**found, stable.name: stable.digest}


def missing(versions: Iterable[Object], living: Iterable[Object]) -> list[Object]:
    """Recorded ModelVersions that are to be created, as their names are free."""
    there = {item["metadata"]["name"] for item in living}
    return [item for item in versions if item["metadata"]["name"] not in there]


def version_line(item: Object) -> RecordDecision:
    """A ModelVersion, to be created again where it is lost."""
    meta, spec = item["metadata"], item["spec"]
    content = {"metadata": _metadata(meta), "spec": spec}
    lineage = spec.get("lineage") or {}
    name = version_file(meta["name"], spec["artifact"]["digest"], lineage.get("recipeDigest", ""))
    return RecordDecision(meta["namespace"], spec["model"], name, content, "versions")


def version_file(name: str, digest: str, recipe_digest: str) -> str:
    """Name of its file: found by name, by bytes, or by recipe without being opened."""
    return f"{name}.{short(digest)}.{short(recipe_digest) or 'import'}"


def short(digest: str) -> str:
    """A digest as a part of a file name."""
    return digest.removeprefix("sha256:")[:16]


def approval(name: str, log: Iterable[str]) -> str | None:
    """How a version was decided last, by the names of the log's files (`audit.line`)."""
    ends = {f"-{name}-approve-{name}.json": "Approved", f"-{name}-reject-{name}.json": "Rejected"}
    decided = [(path, ends[end]) for path in log for end in ends if path.endswith(end)]
    return max(decided)[1] if decided else None


def restored(namespace: str, content: Object, approval: str | None) -> dict[str, Any]:
    """The ModelVersion of a recorded `content`, with what was decided about it since."""
    spec = dict(content["spec"])
    if approval is not None:
        spec["approval"] = approval
    meta = {**_metadata(content["metadata"]), "namespace": namespace}
    return {"apiVersion": c.API_VERSION, "kind": "ModelVersion", "metadata": meta, "spec": spec}


def _metadata(meta: Object) -> dict[str, Any]:
    """Pawl's own labels and annotations, and no others."""
    key = (meta.get("annotations") or {}).get(c.ANNOTATION_RUN_KEY)
    labels = meta.get("labels") or {}
    kept = {name: labels[name] for name in (c.LABEL_MANAGED_BY, c.LABEL_MODEL) if name in labels}
    return {
        "name": meta["name"],
        **({"labels": kept} if kept else {}),
        **({"annotations": {c.ANNOTATION_RUN_KEY: key}} if key else {}),
    }


def _served(entry: Object) -> ServedVersion | None:
    try:
        return ServedVersion.model_validate(entry["served"]) if "served" in entry else None
    except ValidationError:
        return None


def _failed(entry: Object) -> RolledBack | None:
    try:
        return RolledBack.model_validate(entry["rolledBack"]) if "rolledBack" in entry else None
    except ValidationError:
        return None
