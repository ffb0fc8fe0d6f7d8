"""`pawl promote | abort | pause | resume | retry | reset`: commands as annotations.

A command names the candidate, and from its second rollout on the attempt, so that one that was left
behind does nothing later. `spec` is never written: what Git says stays what Git says. What decides
something asks for a reason, which is written with it and goes into the decision record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import typer
from pydantic import ValidationError

from pawl.api.deployment import DeploymentStatus
from pawl.cli.reason import Reason, ask, notes
from pawl.cli.target import MANAGER, Namespace, Target, cluster, deployment
from pawl.control.kinds import DEPLOYMENTS
from pawl.core import audit, commands
from pawl.errors import UserError


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (promote, abort, pause, resume, retry):
        app.command(rich_help_panel="Rollouts")(command)
    app.command(rich_help_panel="Retraining")(reset)


def promote(target: Target, namespace: Namespace = None, reason: Reason = None) -> None:
    """Promote the candidate: all gates have passed, or the spec accepts it unproven."""
    _annotate(target, namespace, commands.PROMOTE, _compared, ask("promote", reason))


def abort(target: Target, namespace: Namespace = None, reason: Reason = None) -> None:
    """Take the traffic of the candidate away; it is not tried again by itself."""
    _annotate(target, namespace, commands.ABORT, _running, ask("abort", reason))


def pause(target: Target, namespace: Namespace = None) -> None:
    """Hold stage and weight; a gate that fails still rolls back."""
    _annotate(target, namespace, commands.PAUSE, _compared)


def resume(target: Target, namespace: Namespace = None) -> None:
    """End a pause by command (a pause in the spec ends in the spec)."""
    _annotate(target, namespace, commands.PAUSE, lambda _: None)


def retry(target: Target, namespace: Namespace = None, reason: Reason = None) -> None:
    """Try the candidate again that was rolled back last."""
    _annotate(target, namespace, commands.RETRY, _failed, ask("retry", reason))


def reset(target: Target, namespace: Namespace = None, reason: Reason = None) -> None:
    """Let drift start retrains again, after the breaker stopped them."""
    _annotate(target, namespace, commands.RESET, _retrained, ask("reset", reason))


def _running(status: DeploymentStatus) -> str:
    state = status.rollout
    if state is None or state.phase == "RollingBack":
        raise UserError("no rollout is under way")
    return commands.reference(state.candidate, state.attempt)


def _compared(status: DeploymentStatus) -> str:
    named, state = _running(status), status.rollout
    if state is not None and state.phase in ("Promoting", "Holdback"):
        raise UserError(f"{state.candidate} is promoted already; `pawl abort` takes it back")
    return named


def _failed(status: DeploymentStatus) -> str:
    if not status.rolled_back:
        raise UserError("no candidate was rolled back")
    last = status.rolled_back[0]
    return commands.reference(last.version, last.attempt)


def _retrained(status: DeploymentStatus) -> str:
    if status.retrain is None or status.retrain.training_job is None:
        raise UserError("nothing was retrained yet")
    return status.retrain.training_job


def _annotate(
    target: str,
    namespace: str | None,
    annotation: str,
    value: Callable[[DeploymentStatus], str | None],
    reason: str | None = None,
) -> None:
    typer.echo(asyncio.run(_written(target, namespace, annotation, value, reason)))


async def _written(
    target: str,
    namespace: str | None,
    annotation: str,
    value: Callable[[DeploymentStatus], str | None],
    reason: str | None,
) -> str:
    async with cluster() as kube:
        item = await deployment(kube, target, namespace)
        meta = item["metadata"]
        try:
            status = DeploymentStatus.model_validate(item.get("status") or {})
        except ValidationError as error:
            raise UserError(f"the status of {meta['name']} cannot be read: {error}") from error
        text = value(status)
        written: dict[str, str | None] = {annotation: text}
        if text is not None and reason is not None:
            written |= await notes(kube, audit.WORDS[annotation], text, reason)
        patch = {"metadata": {"annotations": written}}
        await kube.merge(DEPLOYMENTS, meta["namespace"], meta["name"], patch, manager=MANAGER)
    return f"{annotation}: {text}" if text else f"{annotation} removed"
