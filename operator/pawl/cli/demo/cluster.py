"""The demo's cluster: a process of ours, in a session of its own, so Ctrl-C reaches us alone."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from pawl.cli.demo.traffic import DemoError

_START_LIMIT = 90.0


def start(folder: Path) -> subprocess.Popen[bytes]:
    """A cluster with the operator; kubeconfig and data are in `folder`."""
    words = [sys.executable, "-m", "pawl", "local", "up"]
    words += ["--kubeconfig", str(folder / "kubeconfig"), "--data-dir", str(folder / "data")]
    log = folder / "up.log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603
            words, stdout=out, stderr=out, start_new_session=True
        )
    try:
        deadline = time.monotonic() + _START_LIMIT
        while b"The cluster is up" not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                raise DemoError(f"the cluster did not start: {log.read_text()[-500:]}")
            time.sleep(0.05)
    except BaseException:
        stop(process)
        raise
    return process


def stop(cluster: subprocess.Popen[bytes] | None) -> None:
    """Ends it and all that runs on it."""
    if cluster is None:
        return
    cluster.terminate()
    try:
        cluster.wait(40)
    except subprocess.TimeoutExpired:
        cluster.kill()
