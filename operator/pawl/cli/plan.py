"""`pawl plan`: what a rollout can prove with the traffic there is, before anybody waits for it."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from pawl.api.deployment import DeploymentSpec, DeploymentStatus
from pawl.api.duration import words
from pawl.api.rollout import RolloutSpec
from pawl.api.rollout_status import RolloutStatus
from pawl.cli.target import Namespace, cluster, deployment
from pawl.constants import API_VERSION
from pawl.core.planning import Forecast, Need, Supposed, forecast_of, observed
from pawl.errors import UserError
from pawl.local.safeyaml import load_all

_Share = {"min": 0.0, "max": 1.0}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Rollouts")(plan)


def plan(
    rps: Annotated[float, typer.Option(help="Requests per second, to all versions.")],
    target: Annotated[
        str | None, typer.Argument(help="mdep/NAME or NAME.", metavar="[DEPLOYMENT]")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="A manifest instead; no cluster is asked.")
    ] = None,
    error_rate: Annotated[
        float, typer.Option(**_Share, help="Of the stable version, where none was measured yet.")
    ] = 0.01,
    accuracy: Annotated[
        float, typer.Option(**_Share, help="Of the stable version, where none was measured yet.")
    ] = 0.9,
    feedback: Annotated[
        float, typer.Option(**_Share, help="Share of the predictions whose truth comes in.")
    ] = 1.0,
    namespace: Namespace = None,
) -> None:
    """Tell how many requests and how long each gate of a rollout needs."""
    if (target is None) == (file is None):
        raise UserError("say which Deployment: mdep/NAME, or -f FILE")
    if not 0 < rps < math.inf:
        raise UserError(f"--rps {rps:g}: with no requests nothing can ever be decided")
    if file is not None:
        item = _from_file(file)
    else:
        item = asyncio.run(_from_cluster(str(target), namespace))
    name = str(item.get("metadata", {}).get("name", "a Deployment"))
    spec, state = _rollout(name, item)
    supposed = observed(Supposed(rps, error_rate, 1 - accuracy, feedback), state)
    _show(Console(), name, spec, supposed, forecast_of(spec, supposed))


async def _from_cluster(target: str, namespace: str | None) -> dict[str, Any]:
    async with cluster() as kube:
        return await deployment(kube, target, namespace)


def _from_file(path: Path) -> dict[str, Any]:
    """The only Deployment of Pawl in a file."""
    try:
        items = load_all(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    found = [
        item
        for item in items
        if isinstance(item, dict)
        and (item.get("apiVersion"), item.get("kind")) == (API_VERSION, "Deployment")
    ]
    if len(found) != 1:
        raise UserError(f"{path} has {len(found) or 'no'} Deployments of Pawl; one is needed")
    return found[0]


def _rollout(name: str, item: dict[str, Any]) -> tuple[RolloutSpec, RolloutStatus | None]:
    try:
        spec = DeploymentSpec.model_validate(item.get("spec")).rollout
        status = DeploymentStatus.model_validate(item.get("status") or {})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, part['loc'])) or 'spec'}: {part['msg']}" for part in error.errors()
        )
        raise UserError(f"{name} cannot be read: {wrong}") from error
    if spec is None:
        raise UserError(f"{name} has no rollout: a new version replaces the other one directly")
    if spec.shadow is None and spec.canary is None:
        raise UserError(f"the rollout of {name} has neither shadow nor canary")
    return spec, status.rollout


def _show(
    console: Console, name: str, spec: RolloutSpec, supposed: Supposed, found: Forecast
) -> None:
    console.print(f"[bold]{name}[/] with {supposed.rps:g} requests per second\n")
    console.print(_stages(found))
    for stage in ("shadow", "canary"):
        needs = [need for need in found.needs if need.stage == stage]
        if needs:
            console.print(_gates(stage, found, needs))
    for warning in found.warnings:
        console.print(f"[yellow]![/] {warning}", highlight=False)
    if math.isfinite(found.total):
        end = f"A good version is promoted after about {words(found.total)}"
        end += ", once somebody says `pawl promote`" if spec.promotion == "Manual" else ""
    else:
        end = "No version can be expected to be promoted"
    holdback = f"; then {spec.holdback.duration} of holdback" if spec.holdback else ""
    console.print(f"\n{end}{holdback}. Half of the rollouts take less.", highlight=False)


def _stages(found: Forecast) -> Table:
    table = Table(title="stages", title_justify="left")
    for column in ("stage", "lasts at least", "requests of the candidate", "minSamples after"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for step in found.steps:
        count = f"{step.requests * step.least:,.0f}"
        table.add_row(step.name, words(step.least), count, words(step.samples))
    return table


def _gates(stage: str, found: Forecast, needs: list[Need]) -> Table:
    """Per step what a gate needs there if it stood alone, and when it decides on the whole way."""
    table = Table(title=f"{stage} gates", title_justify="left")
    table.add_column("gate")
    table.add_column("supposed")
    for step in found.steps:
        if step.stage == stage:
            table.add_column(f"alone at {step.name.removeprefix(stage).strip()}", justify="right")
    table.add_column("a good version passes after", justify="right")
    table.add_column("a bad one is stopped after", justify="right")
    for need in needs:
        optional = "" if need.required else " (not required)"
        alone = [
            f"{count:,.0f}\n{_time(count / rate if rate else math.inf)}"
            if math.isfinite(count)
            else "never"
            for count, rate in zip(need.good, need.rates, strict=True)
        ]
        table.add_row(
            f"{need.metric}{optional}\n{need.words}",
            need.supposed,
            *alone,
            _time(need.passes),
            _time(need.stops),
        )
    return table


def _time(seconds: float) -> str:
    return words(seconds) if math.isfinite(seconds) else "never"
