"""Runs are told to a collector of OpenLineage events."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import recipes
from chosen import chosen
from clusters import Cluster
from harness import Space, eventually


class Collector(ThreadingHTTPServer):
    """Keeps what it was told, with the key that came with it; the first event is not taken."""

    def __init__(self, host: str) -> None:
        super().__init__((host, 0), _Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.events: list[dict[str, Any]] = []

    def of(self, job: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["job"]["name"] == job]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append((self.path, self.headers["authorization"]))
        taken = len(self.server.asked) > 1
        if taken:
            self.server.events.append(json.loads(body))
        self.send_response(201 if taken else 503)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Not needed."""


@pytest.fixture
def collector(cluster: Cluster) -> Iterator[Collector]:
    with Collector(cluster.host) as made:
        threading.Thread(target=made.serve_forever, args=(0.01,)).start()
        yield made
        made.shutdown()


@pytest.fixture
def space(
    request: pytest.FixtureRequest, cluster: Cluster, collector: Collector, tmp_path: Path
) -> Iterator[Space]:
    """A namespace of a cluster that tells the collector."""
    url = f"http://{cluster.host}:{collector.server_port}/api/v1/lineage"
    told = {"PAWL_OPENLINEAGE_URL": url, "PAWL_OPENLINEAGE_API_KEY": "k0"}
    with chosen(request.config, tmp_path, **told) as telling:
        made = Space(telling)
        made.open()
        try:
            yield made
        finally:
            made.close()


@pytest.mark.alone
def test_runs_are_told_with_what_they_read_and_made(space: Space, collector: Collector):
    uri = space.put("cancer.parquet", recipes.cancer())
    space.create("TrainingJob", "good", recipes.sklearn_job(uri))
    space.create("TrainingJob", "bad", recipes.sklearn_job("pvc://data/none.parquet"))
    version = (space.get("ModelVersion", space.trained("good")) or {})["spec"]
    eventually(
        lambda: [len(collector.of(job)) for job in ("good", "bad")] == [2, 2],
        lambda: f"four events, not {collector.events}",
    )
    assert set(collector.asked) == {("/api/v1/lineage", "Bearer k0")}
    end = {event["eventType"]: event for event in collector.of("good")}
    assert set(end) == {"START", "COMPLETE"}
    assert len({event["run"]["runId"] for event in end.values()}) == 1
    (read,), (made,) = end["COMPLETE"]["inputs"], end["COMPLETE"]["outputs"]
    digest = version["lineage"]["data"]["digest"]
    assert read["facets"]["version"]["datasetVersion"] == digest
    assert read["inputFacets"]["inputStatistics"]["rowCount"] == 569
    assert made["name"] == "models/cancer"
    assert made["facets"]["version"]["datasetVersion"].startswith("cancer-v1@sha256:")
    (failed,) = [event for event in collector.of("bad") if event["eventType"] == "FAIL"]
    assert "none.parquet" in failed["run"]["facets"]["errorMessage"]["message"]
