"""The command line: parse, wire, call."""

from __future__ import annotations

import sys

import typer

from pawl.cli import (
    alerts,
    approval,
    audit,
    capture,
    data,
    gc,
    lineage,
    local,
    plan,
    reproduce,
    rollout,
    sign,
    trials,
)
from pawl.errors import PawlError

app = typer.Typer(
    name="pawl",
    help="Models that move forward only when they are measured to be better.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


app.add_typer(local.app, name="local")
rollout.register(app)
approval.register(app)
audit.register(app)
sign.register(app)
gc.register(app)
plan.register(app)
alerts.register(app)
capture.register(app)
data.register(app)
trials.register(app)
lineage.register(app)
reproduce.register(app)


@app.command()
def operator(log_level: str = typer.Option("INFO", help="DEBUG, INFO, WARNING, ERROR.")) -> None:
    """Run the operator; it is configured by PAWL_* variables (docs/install.md)."""
    import asyncio  # noqa: PLC0415 - each command loads only what it needs

    from pawl import jsonlog  # noqa: PLC0415
    from pawl.control.operator import run as run_operator  # noqa: PLC0415
    from pawl.control.settings import from_environment  # noqa: PLC0415
    from pawl.tracing import exporting  # noqa: PLC0415

    jsonlog.configure(sys.stderr, log_level.upper())
    with exporting("pawl-operator"):
        asyncio.run(run_operator(from_environment()))


@app.command()
def demo(
    keep: bool = typer.Option(False, "--keep", help="Let the cluster go on afterwards."),
) -> None:
    """Train, serve, try and retrain a model on a cluster of its own; writes demo-report.html."""
    from pawl.cli.demo import run as run_demo  # noqa: PLC0415

    run_demo(keep)


@app.command()
def version() -> None:
    """Print the version."""
    from pawl import __version__  # noqa: PLC0415

    typer.echo(__version__)


def run() -> int:
    """Runs the command line and gives the exit code."""
    try:
        app(standalone_mode=True)
    except PawlError as error:
        typer.echo(f"pawl: {error}", err=True)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


__all__ = ["app", "run"]
