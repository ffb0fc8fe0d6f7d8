"""`pawl audit mdep/NAME`: what was asked for and decided of a model, from the decision record.

The record is in the artifact store and is read from there, with the credentials of whoever asks
(those that the Secret pawl-store holds, from the environment). The store is the one that the
Deployment's artifact lies in, unless another is named.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from pawl.artifacts.store import open_store
from pawl.cli.target import Namespace, Target, cluster, deployment
from pawl.errors import PawlError, UserError

_MAX_LINE = 4 << 20
_COLUMNS = ("at", "what", "version", "by", "why")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Rollouts")(audit)


def audit(
    target: Target,
    namespace: Namespace = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 50,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
    store: Annotated[
        str | None, typer.Option(envvar="PAWL_STORE", help="URI; default: the artifact's.")
    ] = None,
    installation: Annotated[
        str, typer.Option(envvar="PAWL_INSTALLATION", help="As the operator was told.")
    ] = "default",
) -> None:
    """Tell who promoted, aborted, approved, rejected what, and what came of it; newest last."""
    if output not in ("table", "json"):
        raise UserError("--output is table or json")
    item = asyncio.run(_item(target, namespace))
    lines = _lines(store or _store_of(item), installation, item, limit)
    if output == "json":
        for line in lines:
            typer.echo(orjson.dumps(line))
        return
    Console().print(_table(lines))


async def _item(target: str, namespace: str | None) -> dict[str, Any]:
    async with cluster() as kube:
        return await deployment(kube, target, namespace)


def _store_of(item: dict[str, Any]) -> str:
    """By where the served artifact lies, if it is a bundle of the store."""
    uri = str(((item.get("status") or {}).get("stable") or {}).get("uri", ""))
    store, found, _ = uri.partition("/bundles/")
    if not found:
        raise UserError("say where the artifact store is: --store URI, or PAWL_STORE")
    return store


def _lines(uri: str, installation: str, item: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    """About the Deployment and the versions of its model, not about other Deployments of it."""
    meta, model = item["metadata"], item["spec"]["model"]
    folder = f"decisions/{installation}/{meta['namespace']}/{model}/log"
    found: list[dict[str, Any]] = []
    try:
        with open_store(uri) as store:
            for path in reversed(store.list(folder)):
                if len(found) == limit:
                    break
                line = orjson.loads(store.get(path, max_bytes=_MAX_LINE))
                if line.get("deployment", meta["name"]) == meta["name"]:
                    found.append(line)
    except FileNotFoundError:
        pass
    except PawlError as error:
        raise UserError(f"the decision record cannot be read: {error}") from error
    return found[::-1]


def _table(lines: list[dict[str, Any]]) -> Table:
    table = Table()
    for column in _COLUMNS:
        table.add_column(column, overflow="fold")
    for line in lines:
        asked = "command" in line
        who = line.get("user") or line.get("by") or "pawl"
        what = line["command"] if asked else line.get("reason", "")
        why = line.get("reason", "") if asked else line.get("message", "")
        table.add_row(line.get("at", ""), what, line.get("version", ""), who, why)
    return table
