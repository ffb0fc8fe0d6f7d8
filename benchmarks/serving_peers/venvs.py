"""Environments of the peers: one venv each under benchmarks/.venvs, at pinned versions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
VENVS = HERE.parent / ".venvs"
PEERS: dict[str, list[str]] = json.loads((HERE / "requirements.json").read_text())
_INSTALL_SECONDS = 900


class PeerError(Exception):
    """A peer cannot be installed, started or asked. Reported, never skipped silently."""


def python(peer: str, requirements: Mapping[str, list[str]] = PEERS) -> Path:
    """The interpreter of a peer's environment, which is made when it is not there or outdated."""
    folder = VENVS / peer
    interpreter = folder / "bin" / "python"
    marker = folder / "installed.json"
    wanted = json.dumps(requirements[peer])
    if marker.exists() and marker.read_text() == wanted:
        return interpreter
    print(f"installing {peer} …", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(folder)])
    _run(
        [str(interpreter), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        + requirements[peer]
    )
    marker.write_text(wanted)
    return interpreter


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"installing took more than {_INSTALL_SECONDS} s") from error
    if done.returncode:
        raise PeerError(f"installing failed: {done.stderr.strip().splitlines()[-1][:300]}")
