"""`pawl approve | reject`: the decision about a ModelVersion, with its reason."""

from __future__ import annotations

import asyncio

import typer

from pawl.cli.reason import Reason, ask, notes
from pawl.cli.target import MANAGER, Namespace, Version, cluster, version
from pawl.control.kinds import MODEL_VERSIONS


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (approve, reject):
        app.command(rich_help_panel="Versions")(command)


def approve(target: Version, namespace: Namespace = None, reason: Reason = None) -> None:
    """Let a version be served that waits for approval; its gates must have passed as well."""
    typer.echo(asyncio.run(_decide(target, namespace, "approve", "Approved", reason)))


def reject(target: Version, namespace: Namespace = None, reason: Reason = None) -> None:
    """Never let `latest` serve a version; one that is served already stays until it is replaced."""
    typer.echo(asyncio.run(_decide(target, namespace, "reject", "Rejected", reason)))


async def _decide(
    target: str, namespace: str | None, word: str, approval: str, reason: str | None
) -> str:
    why = ask(word, reason)
    async with cluster() as kube:
        meta = (await version(kube, target, namespace))["metadata"]
        written = await notes(kube, word, meta["name"], why)
        patch = {"metadata": {"annotations": written}, "spec": {"approval": approval}}
        await kube.merge(MODEL_VERSIONS, meta["namespace"], meta["name"], patch, manager=MANAGER)
    return f"{meta['name']} is {approval}"
