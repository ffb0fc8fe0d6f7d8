"""Models that are trained, served, rolled out and rolled back by a real operator, a process of its
own, on a cluster whose pods are pretended (benchmarks/pretence.py)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pawl import constants as c
from pawl.artifacts.records import DataLineage, Lineage, Signature, Tensor
from pawl.artifacts.runs import RunResult, StoreRef
from pawl.core.routing.route import Route

ROOT = Path(__file__).parents[3]
JOBS, TRAININGS = "batch/jobs", "pawl.dev/trainingjobs"
VERSIONS, DEPLOYMENTS = "pawl.dev/modelversions", "pawl.dev/modeldeployments"
OURS = {TRAININGS: "TrainingJob", VERSIONS: "ModelVersion", DEPLOYMENTS: "Deployment"}
CHILDREN = (JOBS, "apps/deployments", "services", "configmaps", "secrets")
#: The second version of `bad` fails its gate.
GOOD, BAD = "good", "bad"
LIMIT = 120.0


@dataclass
class Scene:
    """A cluster, and the folder of its store."""

    registry: Any
    node: Any
    folder: Path

    # -- what users do

    def create(self, resource: str, name: str, spec: dict[str, Any]) -> None:
        item = {"apiVersion": c.API_VERSION, "kind": OURS[resource], "metadata": {"name": name}}
        item["metadata"]["namespace"] = "default"  # type: ignore[index]
        self.registry.create(resource, "default", {**item, "spec": spec}, manager="user")

    def train(self, model: str, seed: int) -> None:
        """Creates the recipe of a model, or changes it."""
        data = {"uri": "s3://lake/x.parquet", "task": "binary", "target": "y"}
        estimator = {"sklearn": {"estimator": "sklearn.linear_model.LogisticRegression"}}
        spec = {"model": model, "seed": seed, "data": data, "trainer": estimator}
        if self.find(TRAININGS, model) is None:
            self.create(TRAININGS, model, spec)
            return
        item = self.registry.get(TRAININGS, "default", model)
        self.registry.update(TRAININGS, "default", {**item, "spec": spec}, manager="user")

    def serve(self, model: str) -> None:
        gate = {"metric": "error_rate", "notWorseBy": 0.1}
        steps = [{"weight": 20, "duration": "1s"}, {"weight": 50, "duration": "1s"}]
        decision = {"confidence": 0.9, "minSamples": 20, "deadline": "1h"}
        rollout = {"canary": {"steps": steps, "gates": [gate]}, "decision": decision}
        spec = {"model": model, "replicas": 1, "routing": {"replicas": 1}, "rollout": rollout}
        self.create(DEPLOYMENTS, model, spec)

    def wipe(self) -> None:
        """Every status of ours, as by hand."""
        for resource in OURS:
            for item in self.all(resource):
                bare = {**item, "status": {}}
                self.registry.update(
                    resource, "default", bare, manager="user", subresource="status"
                )

    # -- what there is

    def all(self, resource: str) -> list[dict[str, Any]]:
        return self.registry.list(resource, "default")  # type: ignore[no-any-return]

    def find(self, resource: str, name: str) -> dict[str, Any] | None:
        return next((i for i in self.all(resource) if i["metadata"]["name"] == name), None)

    def status(self, resource: str, name: str) -> dict[str, Any]:
        return (self.find(resource, name) or {}).get("status") or {}

    async def until(self, what: str, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + LIMIT
        while not holds():
            if time.monotonic() > end:
                states = {r: [i.get("status") for i in self.all(r)] for r in OURS}
                raise AssertionError(f"{what}: not in {LIMIT:.0f} s: {json.dumps(states)}")
            await asyncio.sleep(0.05)

    def serves(self, version: int) -> bool:
        """Whether both serve that version alone."""
        states = [self.status(DEPLOYMENTS, model) for model in (GOOD, BAD)]
        wanted = [f"{model}-v{version}" for model in (GOOD, BAD)]
        quiet = all(s.get("phase") == "Serving" and not s.get("rollout") for s in states)
        return quiet and [(s.get("stable") or {}).get("name") for s in states] == wanted

    # -- the story

    async def play(self, disturb: Callable[[str], None] = lambda _: None) -> None:
        """First versions are trained and served; a second one is promoted, another rolled back.
        `disturb` is called at some moments with their names."""
        for model in (GOOD, BAD):
            self.train(model, 1)
            self.serve(model)
        await self.until("serving", lambda: self.serves(1))
        disturb("serving")
        await self.until("serving again", lambda: self.serves(1))
        self.node.routers[BAD].bad = 1.0
        for model in (GOOD, BAD):
            self.train(model, 2)
        await self.until("a canary", self._tries)
        disturb("canary")
        await self.until("the end", self._over)
        disturb("over")
        await self.until("the end again", self._over)

    def _tries(self) -> bool:
        return all(
            (self.status(DEPLOYMENTS, model).get("rollout") or {}).get("phase") == "Canary"
            or self.status(DEPLOYMENTS, model).get("history", [{}])[0].get("version", "")[-1:]
            == "2"
            for model in (GOOD, BAD)
        )

    def _over(self) -> bool:
        good, bad = self.status(DEPLOYMENTS, GOOD), self.status(DEPLOYMENTS, BAD)
        stages = [
            self.status(VERSIONS, f"{m}-v{n}").get("stage") for m in (GOOD, BAD) for n in (1, 2)
        ]
        return (
            all(s.get("phase") == "Serving" and not s.get("rollout") for s in (good, bad))
            and (good.get("stable") or {}).get("name") == "good-v2"
            and [r["version"] for r in bad.get("rolledBack", ())] == ["bad-v2"]
            and all(self.status(TRAININGS, m).get("phase") == "Succeeded" for m in (GOOD, BAD))
            and stages == ["Archived", "Champion", "Champion", "Candidate"]
            and len(self.all("apps/deployments")) == 4
        )

    def outcome(self) -> dict[str, Any]:
        """All that a user can tell from the objects, without times, counts and what is random."""
        found: dict[str, Any] = {}
        for resource in (*OURS, *CHILDREN):
            for item in self.all(resource):
                name = item["metadata"]["name"]
                found[f"{resource}/{name}"] = self._plain(item)
        for model in (GOOD, BAD):
            config = self.registry.get("configmaps", "default", f"{model}-router")
            route = Route.from_json(config["metadata"]["annotations"][c.ANNOTATION_ROUTE])
            found[f"route/{model}"] = dict(route.weights)
        return found

    def _plain(self, item: dict[str, Any]) -> dict[str, Any]:
        status = item.get("status") or {}
        told = {
            key: status.get(key) for key in ("phase", "stage", "modelVersion", "message", "url")
        }
        conditions = {
            x["type"]: (x["status"], x.get("reason")) for x in status.get("conditions", ())
        }
        spec = json.dumps(item.get("spec", {})).replace(str(self.folder), "FOLDER")
        spec = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UID", spec)
        spec = re.sub(r"127(\.\d+){3}", "ADDRESS", spec)
        spec = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", spec)
        return {"spec": json.loads(spec), "conditions": conditions, "status": told}


# -- the pretended trainer


async def trainer(scene: Scene, models: tuple[bytes, bytes]) -> None:
    """Ends every Job well, with `models[0]` for a first run and `models[1]` for a second one."""
    watch = scene.registry.watch(JOBS)
    watch.begin()
    seen: set[str] = set()
    async for event in watch:
        uid = event.object["metadata"]["uid"]
        if event.type != "DELETED" and uid not in seen:
            seen.add(uid)
            _finish(scene, event.object, models)


def _finish(scene: Scene, job: dict[str, Any], models: tuple[bytes, bytes]) -> None:
    from benchmarks.pretence import digest

    meta = job["metadata"]
    owner, run = meta["ownerReferences"][0]["uid"], int(meta["labels"][c.LABEL_RUN])
    content = models[run - 1]
    path = scene.folder / "store" / "bundles" / "default" / f"{meta['name']}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    result = _result(owner, run, meta, path.as_uri(), digest(content))
    target = scene.folder / "store" / "runs" / f"{owner}-{run}" / "result.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(result.model_dump_json(by_alias=True).encode())
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ended = {"type": "Complete", "status": "True", "lastTransitionTime": now}
    met = {"type": "SuccessCriteriaMet", "status": "True", "lastTransitionTime": now}
    status = {"startTime": now, "completionTime": now, "conditions": [met, ended], "succeeded": 1}
    scene.registry.update(
        JOBS, meta["namespace"], {**job, "status": status}, manager="trainer", subresource="status"
    )


def _result(owner: str, run: int, meta: dict[str, Any], uri: str, digest: str) -> RunResult:
    tensor = Tensor(name="x", datatype="FP32", shape=(-1, 1))
    data = DataLineage(
        uri="s3://lake/x.parquet", digest="sha256:" + "ab" * 32,
        rows=9, train_rows=3, validation_rows=3, test_rows=3,
    )  # fmt: skip
    lineage = Lineage(
        data=data, recipe_digest=meta["annotations"][c.ANNOTATION_RECIPE], trainer={},
        parameters={}, seed=run, image="pawl/trainer", environment={},
        environment_digest="sha256:" + "cd" * 32,
    )  # fmt: skip
    return RunResult(
        uid=owner, run=run, artifact=StoreRef(name="x", uri=uri, digest=digest), format="onnx",
        size_bytes=1, signature=Signature(layout="tensor", inputs=(tensor,), outputs=(tensor,)),
        metrics={"roc_auc": 0.9}, lineage=lineage,
    )  # fmt: skip


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """A cluster with its pretended node and trainer; its kubeconfig is `folder`/kubeconfig."""
    from benchmarks import graphs, pretence

    (folder / "store").mkdir(parents=True)
    async with pretence.cluster(folder) as (registry, node):
        made = Scene(registry, node, folder)
        training = asyncio.create_task(trainer(made, (graphs.good(), graphs.fails_above())))
        try:
            yield made
        finally:
            training.cancel()
            await asyncio.wait([training])


@asynccontextmanager
async def operator(
    folder: Path, kubeconfig: Path, *command: str, **settings: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A real one, or another `command` of Python; it must not end before it is told to."""
    environment = {
        **os.environ,
        "KUBECONFIG": str(kubeconfig),
        "PAWL_STORE": (folder / "store").as_uri(),
        "PAWL_SERVER_DRAIN_SECONDS": "1",
        **settings,
    }
    words = command or ("-m", "pawl", "operator")
    with (folder / "operator.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *words, env=environment, stdout=log, stderr=log
        )
        try:
            yield process
            assert process.returncode is None, (folder / "operator.log").read_text()[-4000:]
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), 20)
