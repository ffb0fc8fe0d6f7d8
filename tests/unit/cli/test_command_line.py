"""Which modules a command needs."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest
import typer
from typer.main import get_command

from pawl.cli import _MODULES, command_line

ALL = [word for words in _MODULES.values() for word in words]


def words_of(app: typer.Typer) -> list[str]:
    return sorted(get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("module", _MODULES)
def test_a_module_has_the_commands_by_which_it_is_found(module: str):
    app = typer.Typer(name="one")
    app.callback()(lambda: None)
    import_module(f"pawl.cli.{module}").register(app)
    assert words_of(app) == sorted(_MODULES[module])


def test_without_a_command_or_with_none_of_ours_all_are_there():
    everything = sorted([*ALL, "operator", "demo", "version"])
    assert words_of(command_line()) == everything
    assert words_of(command_line("nonsense")) == everything


def test_a_command_loads_only_what_it_needs():
    code = (
        "import sys; from pawl.cli import command_line; command_line('local');"
        "sys.exit('pawl.control.kube' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
