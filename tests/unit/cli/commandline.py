"""The command line, in this process."""

from __future__ import annotations

from typer.testing import CliRunner

from pawl.cli import command_line
from pawl.errors import PawlError


def pawl(*words: str, columns: int = 200) -> str:
    """What it prints, on so wide a terminal; what it refuses is raised."""
    result = CliRunner().invoke(command_line(words[0]), words, env={"COLUMNS": str(columns)})
    if isinstance(result.exception, PawlError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output
