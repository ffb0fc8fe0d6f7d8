"""`pawl gc`: retire versions that are too many, and remove bundles that nobody needs.

What the operator does every hour where it is told to (PAWL_RETAIN_VERSIONS), done now, or only
shown. The store is used with the credentials of whoever asks, from the environment.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pawl.cli.target import cluster
from pawl.control.kinds import OURS
from pawl.control.retention import Objects, Retention, Surplus
from pawl.control.settings import duration
from pawl.core.retention import Policy


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Versions")(gc)


def gc(
    store: Annotated[str, typer.Option(envvar="PAWL_STORE", help="The artifact store's URI.")],
    versions: Annotated[
        int, typer.Option(envvar="PAWL_RETAIN_VERSIONS", min=1, help="Kept of each model.")
    ],
    age: Annotated[
        str, typer.Option(envvar="PAWL_RETAIN_AGE", help="Younger ones are kept.")
    ] = "30d",
    installation: Annotated[
        str, typer.Option(envvar="PAWL_INSTALLATION", help="As the operator was told.")
    ] = "default",
    namespaces: Annotated[
        str, typer.Option(envvar="PAWL_NAMESPACES", help="Comma-separated; default: all.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
) -> None:
    """Retire versions that are too many, and remove bundles that no version needs."""
    policy = Policy(versions, duration(age))
    chosen = tuple(part.strip() for part in namespaces.split(",") if part.strip())
    found = asyncio.run(_swept(store, installation, policy, chosen, dry_run=dry_run))
    Console().print(_table(found))
    size = sum(bundle.size_bytes for bundle in found.bundles) / 1e6
    verb = "would go" if dry_run else "are gone"
    typer.echo(
        f"{len(found.versions)} versions and {len(found.bundles)} bundles ({size:,.1f} MB) {verb}"
    )


async def _swept(
    store: str, installation: str, policy: Policy, namespaces: tuple[str, ...], *, dry_run: bool
) -> Surplus:
    async with cluster() as kube:
        listed = {
            kind: [i for n in namespaces or (None,) for i in (await kube.list(kind, n))[0]]
            for kind in OURS
        }
        retention = Retention(kube, store.rstrip("/"), installation, policy)
        objects = Objects.of(listed.__getitem__, namespaces)
        return await (retention.find(objects) if dry_run else retention.sweep(objects))


def _table(found: Surplus) -> Table:
    table = Table()
    for column in ("namespace", "model", "what"):
        table.add_column(column, overflow="fold")
    table.add_column("MB", justify="right")
    for namespace, model, known in found.versions:
        table.add_row(namespace, model, known.name, "")
    for bundle in found.bundles:
        _, namespace, model, digest = bundle.path.split("/")
        table.add_row(namespace, model, f"sha256:{digest}", f"{bundle.size_bytes / 1e6:,.1f}")
    return table
