"""The command line: parse, wire, call."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from pawl.errors import PawlError

#: The commands of each module, in the order of the help.
_MODULES = {
    "local": ("local",),
    "rollout": ("promote", "abort", "pause", "resume", "retry", "reset"),
    "approval": ("approve", "reject"),
    "audit": ("audit",),
    "sign": ("sign", "verify"),
    "gc": ("gc",),
    "plan": ("plan",),
    "alerts": ("alerts",),
    "capture": ("capture",),
    "data": ("data",),
    "trials": ("trials",),
    "lineage": ("lineage",),
    "reproduce": ("reproduce",),
}
_HERE = ("operator", "demo", "version")


def command_line(word: str | None = None) -> typer.Typer:
    """With the command `word` and what is in its module; with all when there is none of that
    name: only who asks for help waits until everything is loaded."""
    app = typer.Typer(
        name="pawl",
        help="Models that move forward only when they are measured to be better.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.command("operator")(_operator)
    app.command("demo")(_demo)
    app.command("version")(_version)
    wanted = [name for name, words in _MODULES.items() if word in words]
    if not wanted and word not in _HERE:
        wanted = list(_MODULES)
    for name in wanted:
        import_module(f"pawl.cli.{name}").register(app)
    return app


def _operator(log_level: str = typer.Option("INFO", help="DEBUG, INFO, WARNING, ERROR.")) -> None:
    """Run the operator; it is configured by PAWL_* variables (docs/install.md)."""
    import asyncio  # noqa: PLC0415 - each command loads only what it needs

    from pawl import jsonlog  # noqa: PLC0415
    from pawl.control.operator import run as run_operator  # noqa: PLC0415
    from pawl.control.settings import from_environment  # noqa: PLC0415
    from pawl.tracing import exporting  # noqa: PLC0415

    jsonlog.configure(sys.stderr, log_level.upper())
    with exporting("pawl-operator"):
        asyncio.run(run_operator(from_environment()))


def _demo(
    keep: bool = typer.Option(False, "--keep", help="Let the cluster go on afterwards."),
) -> None:
    """Train, serve, try and retrain a model on a cluster of its own; writes demo-report.html."""
    from pawl.cli.demo import run as run_demo  # noqa: PLC0415

    run_demo(keep)


def _version() -> None:
    """Print the version."""
    from pawl import __version__  # noqa: PLC0415

    typer.echo(__version__)


def run() -> int:
    """Runs the command line and gives the exit code."""
    try:
        command_line(sys.argv[1] if len(sys.argv) > 1 else None)(standalone_mode=True)
    except PawlError as error:
        typer.echo(f"pawl: {error}", err=True)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


__all__ = ["command_line", "run"]
