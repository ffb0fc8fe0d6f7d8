"""`pawl promote | abort | pause | resume | retry`: commands to a rollout, as annotations.

A command names the candidate, and from its second rollout on the attempt, so that one that was left
behind does nothing later. `spec` is never written: what Git says stays what Git says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

import typer
from pydantic import ValidationError

from pawl.api.deployment import DeploymentStatus
from pawl.constants import FIELD_MANAGER
from pawl.control.kinds import DEPLOYMENTS
from pawl.control.kube import Kube
from pawl.core import commands
from pawl.errors import UserError

Target = Annotated[str, typer.Argument(help="mdep/NAME or NAME.", metavar="DEPLOYMENT")]
Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Default: the context's.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (promote, abort, pause, resume, retry):
        app.command(rich_help_panel="Rollouts")(command)


def promote(deployment: Target, namespace: Namespace = None) -> None:
    """Promote the candidate: all gates have passed, or the spec accepts it unproven."""
    _annotate(deployment, namespace, commands.PROMOTE, _running)


def abort(deployment: Target, namespace: Namespace = None) -> None:
    """Take the traffic of the candidate away; it is not tried again by itself."""
    _annotate(deployment, namespace, commands.ABORT, _running)


def pause(deployment: Target, namespace: Namespace = None) -> None:
    """Hold stage and weight; a gate that fails still rolls back."""
    _annotate(deployment, namespace, commands.PAUSE, _running)


def resume(deployment: Target, namespace: Namespace = None) -> None:
    """End a pause by command (a pause in the spec ends in the spec)."""
    _annotate(deployment, namespace, commands.PAUSE, lambda _: None)


def retry(deployment: Target, namespace: Namespace = None) -> None:
    """Try the candidate again that was rolled back last."""
    _annotate(deployment, namespace, commands.RETRY, _failed)


def _running(status: DeploymentStatus) -> str:
    state = status.rollout
    if state is None or state.phase == "RollingBack":
        raise UserError("no rollout is under way")
    return commands.reference(state.candidate, state.attempt)


def _failed(status: DeploymentStatus) -> str:
    if not status.rolled_back:
        raise UserError("no candidate was rolled back")
    last = status.rolled_back[0]
    return commands.reference(last.version, last.attempt)


def _annotate(
    deployment: str,
    namespace: str | None,
    annotation: str,
    value: Callable[[DeploymentStatus], str | None],
) -> None:
    typer.echo(asyncio.run(_written(deployment, namespace, annotation, value)))


async def _written(
    deployment: str,
    namespace: str | None,
    annotation: str,
    value: Callable[[DeploymentStatus], str | None],
) -> str:
    kind, _, name = deployment.rpartition("/")
    if kind not in ("", "mdep", "modeldeployment", "modeldeployments"):
        raise UserError(f"{deployment} is no Deployment of Pawl: write mdep/{name}")
    kube = await Kube.connect()
    try:
        where = namespace or kube.namespace
        item = await kube.get(DEPLOYMENTS, where, name)
        if item is None:
            raise UserError(f"there is no Deployment {name} in namespace {where}")
        try:
            status = DeploymentStatus.model_validate(item.get("status") or {})
        except ValidationError as error:
            raise UserError(f"the status of {name} cannot be read: {error}") from error
        text = value(status)
        patch = {"metadata": {"annotations": {annotation: text}}}
        await kube.merge(DEPLOYMENTS, where, name, patch, manager=f"{FIELD_MANAGER}-cli")
    finally:
        await kube.close()
    return f"{annotation}: {text}" if text else f"{annotation} removed"
