"""`pawl data`: what is known of data before anything is trained."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
import yaml

from pawl.errors import UserError

app = typer.Typer(no_args_is_help=True, help="Look at data.")


def register(parent: typer.Typer) -> None:
    """Adds the commands."""
    parent.add_typer(app, name="data")


@app.callback()
def group() -> None:
    """Look at data."""


@app.command()
def profile(
    source: Annotated[str, typer.Argument(help="A file, or a URI as data.uri takes it.")],
    target: Annotated[str | None, typer.Option(help="The column to be predicted.")] = None,
    format_: Annotated[
        str, typer.Option("--format", help="csv, parquet or jsonl; default: by the name.")
    ] = "auto",
) -> None:
    """Print a first `data:` with roles and checks, inferred from a good sample."""
    from pawl.training import profile as profiles  # noqa: PLC0415 - pyarrow is slow to import
    from pawl.training.source import collect  # noqa: PLC0415
    from pawl.training.tables import read_table  # noqa: PLC0415

    if format_ not in ("auto", "csv", "parquet", "jsonl"):
        raise UserError(f"--format {format_}: csv, parquet or jsonl")
    uri = source if "://" in source else Path(source).absolute().as_uri()
    with tempfile.TemporaryDirectory(prefix="pawl-profile-") as folder:
        table = read_table(collect(uri, format_, Path(folder)), frozenset())
    if target is not None and target not in table.column_names:
        raise UserError(f'--target: there is no column "{target}"')
    data = {"data": {"uri": uri, **profiles.profile(table, target)}}
    typer.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)
