"""Runs as OpenLineage events, by the rules of RunEvent 2-0-2 and of the facets."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from world import DIGEST, World, training_job

from pawl.artifacts.runs import NoNewData
from pawl.control.openlineage import Collector, OpenLineage, run_event, run_id
from pawl.core.plan import Event

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
#: What the schemas of the facets require.
REQUIRED = {
    "version": {"datasetVersion"},
    "schema": {"fields"},
    "dataSource": {"name", "uri"},
    "jobType": {"processingType", "integration"},
    "sourceCodeLocation": {"type", "url"},
    "errorMessage": {"message", "programmingLanguage"},
    "inputStatistics": set(),
    "outputStatistics": set(),
}


def world(**spec: Any) -> World:
    w = World()
    w.add(training_job(**spec))
    w.reconcile_job()
    return w


def complete() -> World:
    w = world()
    w.finish_job()
    w.settle()
    return w


def told(w: World, reason: str) -> dict[str, Any]:
    item = w.objects[("TrainingJob", "churn-nov")]
    event = Event(cast(Any, reason), "m")
    found = run_event("blue", item, item["status"], event, w.of("ModelVersion"), NOW)
    assert found is not None
    body: dict[str, Any] = json.loads(found.body)
    check(body)
    return body


def check(body: dict[str, Any]) -> None:
    """What RunEvent and its facets require."""
    uuid.UUID(body["run"]["runId"])
    assert body["schemaURL"].endswith("/2-0-2/OpenLineage.json#/$defs/RunEvent")
    assert body["eventTime"] == "2026-11-21T12:00:00Z"
    facets = [body["run"]["facets"], body["job"]["facets"]]
    for dataset in (*body["inputs"], *body["outputs"]):
        assert dataset["namespace"]
        assert dataset["name"]
        facets += [dataset["facets"]]
        facets += [dataset[key] for key in ("inputFacets", "outputFacets") if key in dataset]
    for many in facets:
        for name, facet in many.items():
            assert REQUIRED[name] <= facet.keys()
            assert facet["_producer"].startswith("https://")
            assert facet["_schemaURL"].startswith("https://openlineage.io/spec/facets/")


def test_a_run_begins():
    body = told(world(), "RunStarted")
    assert (body["eventType"], body["outputs"]) == ("START", [])
    assert body["job"]["namespace"] == "pawl://blue/ml"
    assert body["job"]["name"] == "churn-nov"
    assert body["inputs"][0]["namespace"] == "s3://lake"
    assert body["inputs"][0]["name"] == "x.parquet"


def test_a_complete_run_tells_what_was_read_and_made():
    body = told(complete(), "RunSucceeded")
    (data,), (model,) = body["inputs"], body["outputs"]
    assert body["eventType"] == "COMPLETE"
    assert data["facets"]["version"]["datasetVersion"] == DIGEST
    assert [field["name"] for field in data["facets"]["schema"]["fields"]] == ["a", "churned"]
    assert data["inputFacets"]["inputStatistics"]["rowCount"] == 100
    assert model["name"] == "models/churn"
    assert model["facets"]["version"]["datasetVersion"] == f"churn-v1@{DIGEST}"


def test_a_failed_run_says_why_without_credentials():
    w = world()
    w.fail_job()
    w.reconcile_job()
    status = w.status("TrainingJob", "churn-nov")
    status["run"]["message"] = "s3://key:secret@bucket cannot be read"
    body = told(w, "RunFailed")
    assert body["eventType"] == "FAIL"
    assert "bucket" in body["run"]["facets"]["errorMessage"]["message"]
    assert "secret" not in json.dumps(body)


def test_a_superseded_run_ends_and_the_next_begins():
    w = world()
    w.objects[("TrainingJob", "churn-nov")]["spec"]["seed"] = 9
    w.reconcile_job()
    ended, begun = told(w, "RunSuperseded"), told(w, "RunStarted")
    assert (ended["eventType"], ended["run"]["runId"]) == ("ABORT", run_id("uid-1", 1))
    assert begun["run"]["runId"] == run_id("uid-1", 2)


def test_no_new_data_makes_nothing():
    w = world(cause={"deployment": "d", "reason": "Drifted", "dataDigest": DIGEST})
    w.finish_job()
    w.results["uid-1-1"] = NoNewData(uid="uid-1", run=1, data_digest=DIGEST)
    w.settle()
    body = told(w, "NoNewData")
    assert (body["eventType"], body["outputs"]) == ("COMPLETE", [])


def test_the_code_is_told_where_it_is_named():
    w = world()
    w.objects[("TrainingJob", "churn-nov")]["metadata"]["annotations"] = {
        "pawl.dev/code-repo": "https://git.example/x",
        "pawl.dev/code-revision": "1234",
    }
    told_of = told(w, "RunStarted")["job"]["facets"]["sourceCodeLocation"]
    assert (told_of["url"], told_of["version"]) == ("https://git.example/x", "1234")


@pytest.mark.parametrize(
    ("uri", "namespace", "name"),
    [
        pytest.param("s3://lake/a/b.parquet", "s3://lake", "a/b.parquet", id="s3"),
        pytest.param("file:///data/x.csv", "file", "/data/x.csv", id="file"),
        pytest.param("pvc://claim/x.csv", "pvc://ml/claim", "x.csv", id="claim"),
        pytest.param("https://a.example/x.csv", "https://a.example", "x.csv", id="https"),
    ],
)
def test_data_are_named_as_others_name_them(uri: str, namespace: str, name: str):
    data = {"uri": uri, "task": "binary", "target": "churned"}
    (found,) = told(world(data=data), "RunStarted")["inputs"]
    assert (found["namespace"], found["name"]) == (namespace, name)


async def test_the_collector_gets_beginnings_and_ends_with_its_key(
    monkeypatch: pytest.MonkeyPatch,
):
    w, taken = complete(), asyncio.Queue[tuple[str, Any]]()
    collector = Collector("http://marquez/api/v1/lineage", "k0")
    lineage = OpenLineage(cast(Any, None), "blue", collector, lambda *_: w.of("ModelVersion"))

    class Answer:
        def check(self) -> None:
            return None

    async def request(method: str, url: str, *, data: bytes, headers: dict[str, str]) -> Answer:
        assert (method, url) == ("POST", collector.url)
        await taken.put((headers["authorization"], json.loads(data)["eventType"]))
        return Answer()

    monkeypatch.setattr(lineage._outside, "request", request)
    item = w.objects[("TrainingJob", "churn-nov")]
    for reason in ("RunStarted", "StageStarted", "RunSucceeded"):
        lineage.tell(item, item["status"], Event(cast(Any, reason), "m"))
    async with asyncio.timeout(5):
        assert [await taken.get(), await taken.get()] == [
            ("Bearer k0", "START"),
            ("Bearer k0", "COMPLETE"),
        ]
    assert taken.empty()
    await lineage.close()
