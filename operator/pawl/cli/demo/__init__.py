"""`pawl demo`: the road all the way, on a cluster that lives as long as the demo.

Train → version → serve; then three candidates under load: a good one is shadowed, canaried and
promoted, one that learnt from shuffled labels is caught by its answers in the shadow, one that
fails for some inputs is rolled back in the canary. Everything is done as a user would do it
(manifests, kubectl where it is installed), and the exit code is 0 only when each of the steps was
seen to happen.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from rich.console import Console

from pawl.cli.demo.cluster import start, stop
from pawl.cli.demo.road import EXAMPLE, Road
from pawl.cli.demo.traffic import DemoError

__all__ = ["run"]


def run(keep: bool) -> None:
    """Raises DemoError with the step that failed."""
    if not EXAMPLE.is_dir():
        raise DemoError(f"{EXAMPLE} is missing: run the demo from a checkout")
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="pawl-demo-"))
    kubeconfig = folder / "kubeconfig"
    for number in (signal.SIGTERM, signal.SIGHUP):  # each of them still stops the cluster
        signal.signal(number, _interrupt)
    road = Road(console, folder, time.monotonic())
    cluster: subprocess.Popen[bytes] | None = None
    finished = False
    try:
        with console.status("starting a cluster of its own"):
            cluster = start(folder)
        road.done(f"the cluster and the operator run ({kubeconfig})")
        os.environ["KUBECONFIG"] = str(kubeconfig)
        asyncio.run(road.walk())
        finished = True
    finally:
        if finished and keep:
            console.print(f"\nThe cluster goes on: export KUBECONFIG={kubeconfig}")
            console.print(f"End it with: .venv/bin/pawl local down --kubeconfig {kubeconfig}")
        else:
            with console.status("stopping the cluster"):
                stop(cluster)
            shutil.rmtree(folder, ignore_errors=True)


def _interrupt(*_: object) -> None:
    """As Ctrl-C, which asyncio takes as a cancellation."""
    signal.raise_signal(signal.SIGINT)
