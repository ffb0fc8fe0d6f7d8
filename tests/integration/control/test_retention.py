"""The operator lets go of what is too much, in its own time; `pawl gc --dry-run` says it before.

An hour is half a second here, and versions are as old as the test says.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import onnx
from scenario import DEPLOYMENTS, VERSIONS, Scene, operator, scene

from pawl.core.conditions import timestamp
from pawl.local.api.store import Key

AGE = 90 * 86_400.0
#: As `pawl operator`, which sweeps every half a second instead of every hour.
HASTY = """
from pawl.control import retention
from pawl.__main__ import main
import sys

retention._EVERY = 0.5
sys.argv = ["pawl", "operator"]
main()
"""
POLICY = {"PAWL_RETAIN_VERSIONS": "1", "PAWL_RETAIN_AGE": "30d"}


class Models:
    """Versions as runs would have made them, with bundles that are as old as they are."""

    def __init__(self, made: Scene) -> None:
        self.made = made
        self.folder = made.folder / "store" / "bundles" / "default"

    def version(self, model: str, number: int, **spec: Any) -> None:
        from benchmarks import graphs

        graph = onnx.load_from_string(graphs.good())
        graph.producer_name = f"{model}-{number}"
        content = graph.SerializeToString()
        digest = hashlib.sha256(content).hexdigest()
        path = self.folder / model / digest / "model.onnx"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        artifact = {"uri": path.as_uri(), "digest": f"sha256:{digest}", "format": "onnx"}
        name = f"{model}-v{number}"
        told = {"model": model, "version": number, "artifact": artifact, **spec}
        self.made.create(VERSIONS, name, told)
        labels = {"labels": {"app.kubernetes.io/managed-by": "pawl"}}
        self.made.registry.patch(
            VERSIONS, "default", name, {"metadata": labels}, kind="merge", manager="user"
        )

    def age(self, *but: str) -> None:
        """All of them; an API server would not have it done by a request."""
        then = time.time() - AGE
        for path in (self.made.folder / "store").rglob("*.*"):
            os.utime(path, (then, then))
        table = self.made.registry.store.table(VERSIONS)
        for item in self.made.all(VERSIONS):
            name = item["metadata"]["name"]
            if name not in but:
                old = copy.deepcopy(item)
                old["metadata"]["creationTimestamp"] = timestamp(datetime.fromtimestamp(then, UTC))
                table.put(Key("default", name), old)

    @property
    def names(self) -> list[str]:
        return [item["metadata"]["name"] for item in self.made.all(VERSIONS)]

    @property
    def bundles(self) -> int:
        """How many hold anything."""
        return sum(any(path.iterdir()) for path in self.folder.glob("*/*"))

    def stage(self, name: str) -> str | None:
        return self.made.status(VERSIONS, name).get("stage")

    def serves(self, name: str) -> bool:
        status = self.made.status(DEPLOYMENTS, name.rpartition("-v")[0])
        served = (status.get("stable") or {}).get("name")
        return status.get("phase") == "Serving" and served == name


async def gc(folder: Path) -> str:
    """What a dry run says."""
    environment = {**os.environ, **POLICY, "KUBECONFIG": str(folder / "kubeconfig")}
    environment["PAWL_STORE"] = (folder / "store").as_uri()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pawl", "gc", "--dry-run",
        env=environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


async def test_what_is_too_much_goes_and_what_is_served_champion_or_recent_stays(tmp_path: Path):
    """Of `pinned` the second is served and the newest is the champion; of `latest` the second is
    the champion, since nobody has approved the third."""
    async with scene(tmp_path) as made:
        models = Models(made)
        for number in range(1, 6):
            models.version("pinned", number)
        for number in range(1, 4):
            models.version("latest", number, approval="Required" if number == 3 else "Automatic")
        async with operator(tmp_path, tmp_path / "kubeconfig"):
            verified = ("Champion", "Candidate", "Archived")
            await made.until(
                "verified", lambda: all(models.stage(name) in verified for name in models.names)
            )
            rest = {"replicas": 1, "routing": {"replicas": 1}}
            for model, version in (("pinned", "pinned-v2"), ("latest", "latest")):
                made.create(DEPLOYMENTS, model, {"model": model, "version": version, **rest})
            served = ("pinned-v2", "latest-v2")
            await made.until("served", lambda: all(map(models.serves, served)))
        models.age("pinned-v4")
        before = models.names
        said = await gc(tmp_path)
        assert "3 versions and 0 bundles (0.0 MB) would go" in said
        assert all(name in said for name in ("pinned-v1", "pinned-v3", "latest-v1"))
        assert (models.names, models.bundles) == (before, 8)
        async with operator(tmp_path, tmp_path / "kubeconfig", "-c", HASTY, **POLICY):
            await made.until("the bundles to be gone", lambda: models.bundles == 5)
            kept = ["latest-v2", "latest-v3", "pinned-v2", "pinned-v4", "pinned-v5"]
            assert models.names == kept
            assert all(map(models.serves, served))
            assert [models.stage(name) for name in ("pinned-v5", "latest-v2")] == 2 * ["Champion"]
        retired = (tmp_path / "store" / "decisions").rglob("retired/*.json")
        assert sorted(path.name.split(".")[0] for path in retired) == [
            "latest-v1",
            "pinned-v1",
            "pinned-v3",
        ]
        assert "0 versions and 0 bundles" in await gc(tmp_path)
