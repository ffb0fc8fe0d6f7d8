"""`pawl capture`: the commands of `python -m pawl.capture`."""

from __future__ import annotations

import typer

from pawl.capture.main import main

_AS_THEY_ARE = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(context_settings=_AS_THEY_ARE, add_help_option=False)(capture)


def capture(context: typer.Context) -> None:
    """List, join, erase or expire captured predictions (pawl capture --help)."""
    main(context.args, "pawl capture")
