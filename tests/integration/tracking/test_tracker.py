"""Runs, trials, versions and the champion as an MLflow server has them afterwards."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from pawl.artifacts import bundle
from pawl.artifacts.store import open_store
from pawl.artifacts.trials import Trial
from pawl.control.outside import Outside
from pawl.control.records import Records
from pawl.control.tracking import Tracker
from pawl.core.installation import Images, Installation

RECIPE = "sha256:" + "ab" * 32
Json = dict[str, Any]


class World:
    """A tracker, the objects that it looks at, and what the server says afterwards."""

    def __init__(self, uri: str, folder: Path) -> None:
        self.uri = uri
        self.namespace = f"n{uuid.uuid4().hex[:8]}"
        self.store = folder
        self.installation = Installation(
            id="test", store=f"file://{folder}", images=Images("a", "b", "c", "d")
        )
        self.records = Records(self.installation)
        self.woken = asyncio.Event()
        self.outside = Outside(cast(Any, None), private=True)
        self.versions: list[Json] = []
        self.tracker = self.restarted()
        self.job: Json = {
            "kind": "TrainingJob",
            "metadata": {
                "name": "churn-nov", "namespace": self.namespace, "uid": uuid.uuid4().hex,
                "creationTimestamp": "2026-11-21T12:00:00Z",
            },
            "spec": {
                "model": "churn",
                "data": {"uri": "s3://lake/x", "task": "binary", "target": "churned"},
                "trainer": {"sklearn": {"estimator": "x.Y", "parameters": {"C": 0.5}}},
                "tracking": {"mlflow": {"uri": uri}},
            },
            "status": {},
        }  # fmt: skip

    def restarted(self) -> Tracker:
        """A tracker that knows nothing."""
        self.tracker = Tracker(self.outside, self.records, lambda _: self.woken.set())
        return self.tracker

    async def close(self) -> None:
        await self.tracker.close()
        await self.outside.close()
        self.records.close()

    def run(self, number: int, phase: str, **more: Any) -> Json:
        return {
            "number": number, "phase": phase, "recipeDigest": RECIPE,
            "startedAt": "2026-11-21T12:00:00Z", **more,
        }  # fmt: skip

    def version(self, number: int, stage: str = "Candidate") -> str:
        """A version with a bundle in the store."""
        name = f"churn-v{number}"
        folder = self.store / f"made-{number}"
        folder.mkdir()
        (folder / bundle.CARD).write_text(f"# {name}")
        (folder / bundle.METRICS).write_text("{}")
        with open_store(self.installation.store) as store:
            uri, digest, _ = bundle.write_bundle(store, self.namespace, "churn", folder)
        self.versions.append(
            {
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {
                    "model": "churn", "version": number,
                    "artifact": {"uri": uri, "digest": digest},
                    "metrics": {"roc_auc": 0.9},
                    "lineage": {
                        "parameters": {"C": 0.5, "penalty": None, "a=b": [1]}, "seed": 7,
                        "data": {"uri": "s3://lake/x", "digest": RECIPE},
                        "code": {"repo": "https://git.example/x", "revision": "1234"},
                    },
                },
                "status": {"stage": stage},
            }
        )  # fmt: skip
        return name

    async def settled(self) -> Any:
        """What is observed once nothing is under way."""
        while True:
            self.woken.clear()
            found = self.tracker.look(self.job, self.versions)
            assert found is not None
            if found.written or found.error:
                return found
            async with asyncio.timeout(60):
                await self.woken.wait()

    def ask(self, what: str, method: str = "GET", **values: Any) -> Json:
        url = f"{self.uri}/api/2.0/mlflow/{what}"
        given: Json = {"params": values} if method == "GET" else {"json": values}
        with httpx.Client(trust_env=False, timeout=30) as session:
            answer = session.request(method, url, **given)
        return answer.json()  # type: ignore[no-any-return]

    def runs(self, tag: str, value: str) -> list[Json]:
        experiment = self.ask("experiments/get-by-name", experiment_name=f"{self.namespace}.churn")
        found = self.ask(
            "runs/search",
            "POST",
            experiment_ids=[experiment["experiment"]["experiment_id"]],
            filter=f"tags.`{tag}` = '{value}'",
            max_results=1000,
        )
        return found.get("runs", [])  # type: ignore[no-any-return]

    def mine(self) -> list[Json]:
        return self.runs("pawl.uid", self.job["metadata"]["uid"])

    def champion(self) -> str | None:
        found = self.ask(
            "registered-models/alias", name=f"{self.namespace}.churn", alias="champion"
        )
        return found["model_version"]["version"] if "model_version" in found else None


@pytest.fixture
async def world(uri: str, tmp_path: Path) -> AsyncIterator[World]:
    made = World(uri, tmp_path)
    yield made
    await made.close()


def tags(run: Json) -> Json:
    return {tag["key"]: tag["value"] for tag in run["data"]["tags"]}


async def test_a_run_is_there_from_its_start_and_whole_at_its_end(world: World):
    world.job["status"] = {"run": world.run(1, "Running")}
    found = await world.settled()
    (running,) = world.mine()
    assert (running["info"]["status"], running["info"]["run_id"]) == ("RUNNING", found.status.run)
    ended = {"finishedAt": "2026-11-21T12:00:05Z", "modelVersion": world.version(1, "Champion")}
    world.job["status"] = {"run": world.run(1, "Succeeded", **ended)}
    found = await world.settled()
    (run,) = world.mine()
    assert run["info"]["status"] == "FINISHED"
    assert tags(run)["pawl.version"] == "churn-v1"
    assert tags(run)["pawl.data-digest"] == RECIPE
    assert tags(run)["mlflow.source.git.commit"] == "1234"
    assert found.status.run == running["info"]["run_id"]
    files = world.ask("artifacts/list", run_id=found.status.run)["files"]
    assert [file["path"] for file in files] == ["card.md", "metrics.json"]
    parameters = {p["key"]: p["value"] for p in run["data"]["params"]}
    assert parameters == {"C": "0.5", "penalty": "null", "a_b": "[1]"}
    assert run["data"]["metrics"][0]["value"] == 0.9
    assert (found.status.version, world.champion()) == ("1", "1")


async def test_writing_again_changes_nothing(world: World):
    ended = {"finishedAt": "2026-11-21T12:00:05Z", "modelVersion": world.version(1, "Champion")}
    failed = world.run(1, "Failed", finishedAt="2026-11-21T12:00:01Z", message="no such column")
    world.job["status"] = {"run": world.run(2, "Succeeded", **ended), "runs": [failed]}
    before = await world.settled()
    assert {run["info"]["status"] for run in world.mine()} == {"FAILED", "FINISHED"}
    world.restarted()
    assert (await world.settled()).status == before.status
    assert len(world.mine()) == 2


async def test_trials_are_nested_runs_and_come_as_they_end(world: World):
    uid = world.job["metadata"]["uid"]
    world.job["spec"]["search"] = {
        "objectives": [{"metric": "log_loss"}],
        "parameters": [{"name": "C", "type": "double", "min": 0, "max": 1}],
    }
    for number, outcome in enumerate(("Succeeded", "Pruned", "Failed")):
        values = {"log_loss": 0.1} if outcome == "Succeeded" else {}
        trial = Trial(number=number, parameters={"C": number}, outcome=outcome, values=values)
        await world.records.trials.record(uid, 1, trial)
        world.job["status"] = {
            "run": world.run(1, "Running"), "trials": {"succeeded": number + 1}
        }  # fmt: skip
        await world.settled()
        world.restarted()
        (parent,) = world.mine()
        assert len(world.runs("mlflow.parentRunId", parent["info"]["run_id"])) == number + 1
    nested = world.runs("mlflow.parentRunId", parent["info"]["run_id"])
    assert {run["info"]["status"] for run in nested} == {"FINISHED", "KILLED", "FAILED"}


async def test_the_alias_goes_where_the_champion_goes(world: World):
    first = {"finishedAt": "2026-11-21T12:00:05Z", "modelVersion": world.version(1, "Champion")}
    second = {"finishedAt": "2026-11-21T12:00:05Z", "modelVersion": world.version(2)}
    world.job["status"] = {
        "run": world.run(2, "Succeeded", **second), "runs": [world.run(1, "Succeeded", **first)]
    }  # fmt: skip
    await world.settled()
    assert world.champion() == "1"
    for stages, expected in ((("Archived", "Champion"), "2"), (("Champion", "Rejected"), "1")):
        for item, stage in zip(world.versions, stages, strict=True):
            item["status"]["stage"] = stage
        await world.settled()
        assert world.champion() == expected
    world.versions[0]["status"]["stage"] = "Rejected"
    await world.settled()
    assert world.champion() is None
