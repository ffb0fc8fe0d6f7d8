"""Windows that are compared with live traffic, and counts that a Prometheus has scraped."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from chosen import chosen
from clusters import Cluster
from drifting import bodies, loop, rows
from harness import Object, Space

from pawl.constants import MONITOR_PORT
from pawl.control.features import parse_layout
from pawl.stats.drift.window import counted

WEEK = 168
PROMETHEUS = """
scrape_configs:
  - job_name: pawl
    scrape_interval: 2s
    scrape_timeout: 2s
    file_sd_configs: [{{files: [{targets}], refresh_interval: 1s}}]
"""


def servers(space: Space) -> list[Object]:
    return space.list("Pod", "pawl.dev/role=server")


def last_week(space: Space) -> None:
    """Puts into the store what an operator would have a week ago: in the hours around this one all
    values were in the first of their bins."""
    (pod,) = servers(space)
    page = httpx.get(
        f"http://{pod['status']['podIP']}:{MONITOR_PORT}/features/layout", trust_env=False
    )
    layout = parse_layout(page.content, "cancer", 1).layout
    cells = np.zeros((60, len(layout.cells.of)), dtype=np.uint32)
    cells[:, layout.cells.start] = 100
    data = counted(layout, cells).dump(layout)
    (installation,) = (
        path.parent.name for path in space.cluster.store.glob(f"decisions/*/{space.name}")
    )
    this = int(time.time()) // 3600 - WEEK
    for hour in (this - 1, this, this + 1):
        path = f"windows/{installation}/{space.name}/cancer/cancer-v1/{hour}"
        space.cluster.store_file(path, data)


def test_windows_are_compared_with_the_same_hours_of_last_week(space: Space):
    with loop(space, baseline="firstWeek", action="notify") as seen:
        learning = seen.until("Drifted", "Unknown", "LearningBaseline")
        assert "the first hour of the baseline is being counted" in learning["message"]
        last_week(space)
        space.patch("Deployment", "cancer", {"drift": {"baseline": "sameHourLastWeek"}})
        drifted = seen.until("Drifted", "True", "Drifted")
        assert "are not like the baseline" in drifted["message"]


@dataclass(frozen=True)
class Scraped:
    """A namespace whose operator asks a Prometheus, and what that one scrapes."""

    space: Space
    targets: Path

    def begin(self) -> None:
        """The server pods, with the labels that relabelling gives them (docs/alerts.md)."""
        named = {"namespace": self.space.name, "deployment": "cancer", "model": "cancer"}
        found = [
            {"targets": [address(pod)], "labels": {**named, "version": "1"}}
            for pod in servers(self.space)
        ]
        written = self.targets.with_suffix(".new")
        written.write_text(json.dumps(found))
        written.rename(self.targets)


def address(pod: Object) -> str:
    (port,) = (
        port["containerPort"]
        for container in pod["spec"]["containers"]
        for port in container.get("ports", ())
        if port.get("name") == "http"
    )
    return f"{pod['status']['podIP']}:{port}"


@pytest.fixture
def scraped(request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path) -> Iterator[Scraped]:
    if shutil.which("prometheus") is None:
        pytest.skip("needs prometheus (Debian package prometheus)")
    targets, config, log = (tmp_path / name for name in ("targets.json", "p.yml", "log.txt"))
    config.write_text(PROMETHEUS.format(targets=targets))
    with socket.socket() as probe:
        probe.bind((cluster.host, 0))
        listens = f"{cluster.host}:{probe.getsockname()[1]}"
    command = [
        "prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        f"--web.listen-address={listens}",
    ]  # fmt: skip
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as prometheus:
        try:
            with chosen(request.config, tmp_path, PAWL_PROMETHEUS=f"http://{listens}") as asking:
                space = Space(asking)
                space.open()
                try:
                    yield Scraped(space, targets)
                finally:
                    space.close()
        finally:
            prometheus.terminate()


@pytest.mark.alone
def test_drift_is_found_by_what_a_prometheus_scrapes_of_the_pods(scraped: Scraped):
    changes = {"source": "Prometheus", "window": "30s", "action": "notify"}
    with loop(scraped.space, **changes) as seen:
        seen.load.bodies = bodies(rows(13))
        scraped.begin()
        drifted = seen.until("Drifted", "True", "Drifted")
        assert "mean radius psi" in drifted["message"]
