"""What the pods of a run are told, and how its objects are labelled."""

from __future__ import annotations

from typing import Any

from pawl import constants as c
from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.records import Window
from pawl.artifacts.redact import redact
from pawl.artifacts.runs import Code, KnownVersion, RunConfig
from pawl.core.conditions import timestamp
from pawl.core.manifests.stages import train_threads
from pawl.core.recall import missing
from pawl.core.run_work import Object, Work
from pawl.core.versions import champion, read_versions

_MOST_KNOWN = 256


def labels_of(work: Work) -> dict[str, str]:
    """Labels of the current run's objects and pods."""
    return {
        c.LABEL_TRAINING_JOB: work.meta["name"],
        c.LABEL_MODEL: work.job.spec.model,
        c.LABEL_RUN: str(work.run.number),
        c.LABEL_ROLE: c.ROLE_TRAINER,
    }


def annotations_of(work: Work) -> dict[str, str]:
    """Annotations of the current run's Jobs: what a lost status needs to find it again."""
    resumes = {c.ANNOTATION_SEARCH_RUN: str(work.run.resumes)} if work.run.resumes else {}
    return {c.ANNOTATION_RECIPE: work.run.recipe_digest, **resumes}


def recorded_spec(spec: TrainingJobSpec) -> dict[str, Any]:
    """A recipe as run.json has it."""
    return spec.model_dump(mode="json", by_alias=True, exclude_none=True)


def run_config(work: Work, **changes: Any) -> RunConfig:
    """run.json of the current run."""
    spec, meta, run = work.job.spec, work.meta, work.run
    best = champion(work.versions, work.observed.deployments)
    values: dict[str, Any] = {
        "name": meta["name"],
        "namespace": meta["namespace"],
        "uid": meta["uid"],
        "run": run.number,
        "started_at": run.started_at or timestamp(work.now),
        "model": spec.model,
        "spec": recorded_spec(spec),
        "recipe_digest": run.recipe_digest,
        "store": work.installation.store,
        "image": work.installation.images.trainer,
        "champion": best.reference() if best else None,
        "allowed_estimators": work.installation.allowed_estimators,
        "threads": train_threads(spec),
        "code": _code(meta),
    }
    return RunConfig(**values | changes)


def as_text(config: RunConfig) -> str:
    """run.json."""
    return config.model_dump_json(by_alias=True)


def _code(meta: Object) -> Code | None:
    """What the annotations say of the source; one without the other says too little."""
    names = (c.ANNOTATION_CODE_REPO, c.ANNOTATION_CODE_REVISION)
    annotations = meta.get("annotations") or {}
    repo, revision = (redact("".join(annotations.get(name, "").split())) for name in names)
    return Code(repo=repo[:512], revision=revision[:128]) if repo and revision else None


def known(work: Work) -> tuple[KnownVersion, ...]:
    """Versions that another run made of this recipe, also in a cluster that is no more: the pod
    compares their data digests with what it reads, and trains nothing when one is equal. The newest
    of them, since an annotation has a limit."""
    lost = missing(work.observed.recorded, work.observed.versions)
    versions = (*read_versions(lost, work.job.spec.model), *work.versions)
    found = tuple(
        KnownVersion(
            version=version.reference(),
            data_digest=lineage.data.digest,
            window=Window(**data.window.model_dump()) if (data := lineage.data).window else None,
        )
        for version in sorted(versions, key=lambda version: version.number)
        if (lineage := version.spec.lineage) is not None
        and lineage.recipe_digest == work.run.recipe_digest
        and lineage.data is not None
    )
    return found[-_MOST_KNOWN:]
