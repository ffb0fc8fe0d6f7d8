"""`pawl local`, and objects for it, as benchmarks use them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any


def made(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


def local(*words: str, kubeconfig: Path) -> None:
    command = [sys.executable, "-m", "pawl", "local", *words, "--kubeconfig", str(kubeconfig)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
