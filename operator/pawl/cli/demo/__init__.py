"""`pawl demo`: the road all the way, on a cluster that lives as long as the demo.

Train → version → serve; then three candidates under load: a good one is shadowed, canaried and
promoted, one that learnt from shuffled labels is caught by its answers in the shadow, one that
fails for some inputs is rolled back in the canary. At last other patients come: drift is noticed,
and a successor is trained, tried and promoted. Everything is done as a user would do it (manifests,
kubectl where it is installed), and the exit code is 0 only when each of the steps was seen to
happen. What was seen is written to demo-report.html.
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
from pawl.cli.demo.report import NAME, render
from pawl.cli.demo.road import Road
from pawl.cli.demo.stage import EXAMPLE, Stage
from pawl.cli.demo.story import Story, finish, watch
from pawl.cli.demo.tables import next_steps, summary
from pawl.cli.demo.traffic import DemoError
from pawl.control.kube import Kube

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
    story = Story(time.time())
    cluster: subprocess.Popen[bytes] | None = None
    finished = False
    try:
        with console.status("starting a cluster of its own"):
            cluster = start(folder)
        os.environ["KUBECONFIG"] = str(kubeconfig)
        asyncio.run(_play(console, folder, story))
        finished = True
    finally:
        if finished and keep:
            console.print(f"\nThe cluster goes on: export KUBECONFIG={kubeconfig}")
            console.print(f"End it with: .venv/bin/pawl local down --kubeconfig {kubeconfig}")
        else:
            with console.status("stopping the cluster"):
                stop(cluster)
            shutil.rmtree(folder, ignore_errors=True)


async def _play(console: Console, folder: Path, story: Story) -> None:
    kube = await Kube.connect()
    watching = asyncio.create_task(watch(kube, story))
    try:
        stage = Stage(console, kube, folder, story)
        stage.done(f"the cluster and the operator run ({folder / 'kubeconfig'})")
        await Road(stage).walk()
        if watching.done():
            watching.result()  # raises: the story has gaps
        await finish(kube, story)
        summary(story, console, stage.periods)
        report = Path.cwd() / NAME
        report.write_text(render(story))
        next_steps(console)
        console.print(f"\nThe whole story, with pictures: {report}")
        console.print(f"[bold green]done[/] in {story.took:.0f} s")
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await kube.close()


def _interrupt(*_: object) -> None:
    """As Ctrl-C, which asyncio takes as a cancellation."""
    signal.raise_signal(signal.SIGINT)
