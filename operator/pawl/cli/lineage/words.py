"""What is said of each part of a lineage, in lines; the first is its name."""

from __future__ import annotations

from collections.abc import Iterator

from pawl.api.modelversion import LineageSpec
from pawl.cli.lineage.graph import Data, told
from pawl.core.versions import Version


def data(found: Data | None) -> list[str]:
    """Of the data that were read."""
    if found is None:
        return ["data unknown"]
    rows = [f"{found.rows:,} rows"] if found.rows is not None else []
    return [found.uri, found.digest, *rows, *found.joined]


def job(lineage: LineageSpec) -> list[str]:
    """Of the run that trained: all that decides the result."""
    made_by = lineage.training_job
    if made_by is None:
        return ["imported"]
    return [f"tj/{made_by.name} run {made_by.run}", *_decisive(lineage)]


def version(found: Version) -> list[str]:
    """Of a version, without its files."""
    parent = told(found).parent
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in (found.spec.metrics or {}).items())
    beside = [f"parent {parent}"] if parent else []
    return [
        f"mv/{found.name}",
        found.spec.artifact.digest,
        *([metrics] if metrics else []),
        *beside,
    ]


def _decisive(lineage: LineageSpec) -> Iterator[str]:
    if lineage.recipe_digest:
        yield f"recipe {lineage.recipe_digest}"
    if lineage.search is not None:
        search = lineage.search
        yield f"{search.algorithm}: trial {search.trial} of {search.trials}, {search.digest}"
    if lineage.code is not None:
        yield f"code {lineage.code.repo} @ {lineage.code.revision}"
    if lineage.image:
        yield f"image {lineage.image}"
    if lineage.environment_digest:
        yield f"environment {lineage.environment_digest}"
    if lineage.seed is not None:
        yield f"seed {lineage.seed}, threads {lineage.threads or 1}"
