"""`pawl reproduce mv/NAME`: trains a version again from its recorded recipe and the same data, and
tells file by file whether the result is the same.

The recipe is the one in the bundle's `lineage.json`, which is read from the store with the
credentials of whoever asks, as `pawl trials` does it.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from pawl.api.duration import seconds
from pawl.api.modelversion import ModelVersionSpec
from pawl.api.trainingjob import (
    RECIPE_FIELDS,
    TrainingJob,
    TrainingJobSpec,
    containers_of,
)
from pawl.artifacts.bundle import LINEAGE, fetch_bundle
from pawl.artifacts.records import Lineage
from pawl.cli.target import Namespace, StoreHere, Version, cluster, seen_here, version
from pawl.constants import API_VERSION
from pawl.control.kinds import TRAINING_JOBS
from pawl.control.kube import Kube, KubeError
from pawl.core.recipe import recipe_digest
from pawl.errors import UserError
from pawl.local.safeyaml import load_all

_PAUSE = 1.0
_OVER = ("Reproduced", "Differs", "Failed", "Superseded")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(reproduce)


def reproduce(
    target: Version,
    namespace: Namespace = None,
    name: Annotated[
        str | None, typer.Option(help="Of the TrainingJob; default: NAME-repro.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="The TrainingJob that made it, as YAML.")
    ] = None,
    store: StoreHere = None,
    timeout: Annotated[str, typer.Option(help="How long to wait for the run.")] = "1h",
) -> None:
    """Train a version again and compare every file; exit code 1 when one differs."""
    job = asyncio.run(_run(target, namespace, name, file, store, seconds(timeout)))
    run = job.status.run
    if run is None or run.phase not in ("Reproduced", "Differs"):
        raise UserError(f"the run has failed: {run.message if run else ''}")
    table = Table()
    for column in ("file", "", "sha256", "sha256 now"):
        table.add_column(column, overflow="fold")
    for found in job.status.files:
        same = "same" if found.same else "differs"
        now = "" if found.same else (found.found or "–")[:19]
        table.add_row(found.name, same, (found.expected or "–")[:19], now)
    Console().print(table)
    typer.echo(run.message)
    if run.phase == "Differs":
        raise typer.Exit(1)


async def _run(
    target: str,
    namespace: str | None,
    name: str | None,
    file: Path | None,
    store: str | None,
    limit: int,
) -> TrainingJob:
    """The TrainingJob once its run is over."""
    async with cluster() as kube:
        item = await version(kube, target, namespace)
        meta = item["metadata"]
        made = ModelVersionSpec.model_validate(item["spec"])
        spec = _recipe(meta["name"], made, file, store)
        job = {
            "apiVersion": API_VERSION,
            "kind": TRAINING_JOBS.kind,
            "metadata": {"name": name or f"{meta['name']}-repro", "namespace": meta["namespace"]},
            "spec": {**spec, "reproduces": meta["name"]},
        }
        return await _followed(kube, await _created(kube, job), limit)


def _recipe(
    name: str, made: ModelVersionSpec, file: Path | None, store: str | None
) -> dict[str, Any]:
    """What trained the version, without its search. UserError where that is not known."""
    if made.lineage is None or made.lineage.training_job is None:
        raise UserError(f"{name} was imported: no run is known that could be repeated")
    told = _recorded(made, store)
    if file is not None:
        return _given(file, made, told)
    if not told.recipe:
        raise UserError(
            f"{name} has no recorded recipe: give the TrainingJob that made it, -f FILE"
        )
    if any(container.get("env") for container in containers_of(told.recipe)):
        raise UserError(
            "the variables of a container are not recorded, since they may be credentials: give "
            "its TrainingJob, -f FILE"
        )
    return told.recipe


def _recorded(made: ModelVersionSpec, store: str | None) -> Lineage:
    artifact = made.artifact
    with tempfile.TemporaryDirectory(prefix="pawl-lineage-") as scratch:
        try:
            uri = seen_here(artifact.uri, store)
            fetch_bundle(uri, artifact.digest, Path(scratch), names=(LINEAGE,))
            return Lineage.model_validate_json((Path(scratch) / LINEAGE).read_bytes())
        except FileNotFoundError as error:
            raise UserError("its bundle is not in the store") from error


def _given(file: Path, made: ModelVersionSpec, told: Lineage) -> dict[str, Any]:
    """A manifest that has the recorded digest; with what its search has chosen."""
    try:
        (raw,) = (item for item in load_all(file.read_text()) if item)
        spec = TrainingJobSpec.model_validate(raw["spec"])
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is no TrainingJob: {error}") from error
    if recipe_digest(spec) != told.recipe_digest:
        raise UserError(
            f"{file} is another recipe than the one that made {made.model}-v{made.version}"
        )
    if spec.search is not None:
        chosen: Mapping[str, Any] = next(iter(told.recipe["trainer"].values()))
        spec = spec.with_parameters(chosen.get("parameters", {}))
    keep = set(RECIPE_FIELDS - {"search", "reproduces"})
    return spec.model_dump(mode="json", by_alias=True, exclude_defaults=True, include=keep)


async def _created(kube: Kube, job: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return await kube.create(TRAINING_JOBS, job)
    except KubeError as error:
        if error.reason != "AlreadyExists":
            raise
        name = job["metadata"]["name"]
        raise UserError(
            f"there is a TrainingJob {name} already: delete it, or give another --name"
        ) from error


async def _followed(kube: Kube, item: Mapping[str, Any], limit: int) -> TrainingJob:
    meta = item["metadata"]
    try:
        async with asyncio.timeout(limit):
            while True:
                found = await kube.get(TRAINING_JOBS, meta["namespace"], meta["name"])
                if found is None:
                    raise UserError(f"TrainingJob {meta['name']} has been deleted")
                job = TrainingJob.model_validate(found)
                if job.status.run is not None and job.status.run.phase in _OVER:
                    return job
                stalled = next((c for c in job.status.conditions if c.type == "Stalled"), None)
                if stalled is not None and stalled.status == "True":
                    raise UserError(stalled.message)
                await asyncio.sleep(_PAUSE)
    except TimeoutError as error:
        raise UserError(f"TrainingJob {meta['name']} goes on; its status will tell") from error
