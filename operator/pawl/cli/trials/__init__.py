"""`pawl trials tj/NAME`: the trials of a search, from the store.

The records are in the artifact store and are read from there, with the credentials of whoever asks
(those that the Secret pawl-store holds, from the environment), as `pawl audit` does it.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.live import Live

from pawl.api.search import Search
from pawl.api.trainingjob import TrainingJob
from pawl.artifacts.store import Store, open_store
from pawl.artifacts.trials import Trial, folder
from pawl.cli.target import Namespace, cluster, training_job
from pawl.cli.trials import picture, table
from pawl.core.search import Table
from pawl.errors import PawlError, UserError

_MOST_BYTES = 1 << 20
_PAUSE = 2.0
_OVER = ("Succeeded", "Failed", "NoNewData")
_Job = Annotated[str, typer.Argument(help="tj/NAME or NAME.", metavar="TRAININGJOB")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(trials)


def trials(
    target: _Job,
    namespace: Namespace = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Until the run is over.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a picture to this file.")] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
    store: Annotated[str | None, typer.Option(envvar="PAWL_STORE", help="URI.")] = None,
) -> None:
    """List the trials of a search, the best marked."""
    if output not in ("table", "json"):
        raise UserError("--output is table or json")
    if not store:
        raise UserError("say where the artifact store is: --store URI, or PAWL_STORE")
    try:
        with open_store(store) as opened:
            found = _Reader(opened, target, namespace)
            job = found.look()
            if watch:
                job = _follow(found, job)
    except PawlError as error:
        raise UserError(f"the trials cannot be read: {error}") from error
    if html is not None:
        html.write_text(picture.page(target, Table(_search(job), found.trials)))
    if output == "json":
        for _, trial in sorted(found.trials.items()):
            typer.echo(trial.model_dump_json(by_alias=True))
    elif not watch:
        Console().print(table.render(job, Table(_search(job), found.trials)))


class _Reader:
    """Reads each record once."""

    def __init__(self, store: Store, target: str, namespace: str | None) -> None:
        self._store, self._target, self._namespace = store, target, namespace
        self.trials: dict[int, Trial] = {}

    def look(self) -> TrainingJob:
        """The TrainingJob as it is now, with the trials that are over by now."""
        item = asyncio.run(_item(self._target, self._namespace))
        try:
            job = TrainingJob.model_validate(item)
        except ValidationError as error:
            raise UserError(f"{self._target} cannot be read: {error.errors()[0]['msg']}") from error
        _search(job)
        run = job.status.run
        if run is not None:
            self._read(folder(item["metadata"]["uid"], run.resumes or run.number))
        return job

    def _read(self, where: str) -> None:
        try:
            paths = self._store.list(where)
        except FileNotFoundError:
            return
        for path in paths:
            name = path.rsplit("/", 1)[-1].removesuffix(".json")
            if name.isdigit() and int(name) not in self.trials:
                data = self._store.get(path, max_bytes=_MOST_BYTES)
                self.trials[int(name)] = Trial.model_validate_json(data)


def _follow(found: _Reader, job: TrainingJob) -> TrainingJob:
    with Live(table.render(job, Table(_search(job), found.trials)), auto_refresh=False) as live:
        while job.status.phase not in _OVER:
            time.sleep(_PAUSE)
            job = found.look()
            live.update(table.render(job, Table(_search(job), found.trials)), refresh=True)
    return job


def _search(job: TrainingJob) -> Search:
    if job.spec.search is None:
        raise UserError("it has no spec.search")
    return job.spec.search


async def _item(target: str, namespace: str | None) -> dict[str, Any]:
    async with cluster() as kube:
        return await training_job(kube, target, namespace)
