"""Sweeps of a store: what goes, in which order, and what an operator that dies leaves behind."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from test_retention import serving, version

from pawl.artifacts.store import open_store
from pawl.control.retention import Objects, Retention
from pawl.core.recall import version_line
from pawl.core.retention import Policy

DAY = 86_400.0


class Cluster:
    """Takes deletions; `dies` before the next."""

    dies = False

    def __init__(self, *versions: Any, deployments: tuple[Any, ...]) -> None:
        self.versions = list(versions)
        self.deployments = deployments

    async def delete(self, _: Any, namespace: str, name: str, uid: str) -> None:
        if self.dies:
            raise OSError("killed")
        self.versions = [v for v in self.versions if v["metadata"]["name"] != name]

    @property
    def objects(self) -> Objects:
        return Objects(tuple(self.versions), self.deployments, ())


class Place:
    """A store with bundles of versions, all of them old."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def bundle(self, item: Any, model: str = "churn", days: float = 100) -> Path:
        digest = item["spec"]["artifact"]["digest"].removeprefix("sha256:")
        folder = self.root / "bundles" / "ml" / model / digest
        folder.mkdir(parents=True)
        for name in ("manifest.json", "model.onnx"):
            (folder / name).write_bytes(b"x" * 1000)
            self.age(folder / name, days)
        return folder

    def record(self, item: Any, installation: str = "default", days: float = 100) -> None:
        line = version_line(item)
        path = self.root / f"decisions/{installation}/ml/churn/versions/{line.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(line.content))
        self.age(path, days)

    @staticmethod
    def age(path: Path, days: float) -> None:
        then = time.time() - days * DAY
        os.utime(path, (then, then))

    @property
    def bundles(self) -> set[int]:
        return {
            int(path.name[:2], 16)
            for path in self.root.glob("bundles/*/*/*")
            if any(path.iterdir())
        }

    def retired(self) -> list[str]:
        return sorted(
            p.name.split(".")[0] for p in self.root.glob("decisions/default/ml/churn/retired/*")
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def retention(cluster: Cluster, place: Place, installation: str = "default") -> Retention:
    policy = Policy(versions=2, min_age=30 * DAY)
    return Retention(cluster, place.root.as_uri(), installation, policy)  # type: ignore[arg-type]


def five(place: Place) -> Cluster:
    versions = [version(number) for number in range(1, 6)]
    for item in versions:
        place.bundle(item)
        place.record(item)
    return Cluster(*versions, deployments=(serving(5),))


async def test_first_the_object_goes_and_its_bytes_in_the_next_sweep(place: Place):
    cluster = five(place)
    found = await retention(cluster, place).sweep(cluster.objects)
    assert [known.name for _, _, known in found.versions] == ["churn-v1", "churn-v2", "churn-v3"]
    assert found.bundles == ()
    assert [v["metadata"]["name"] for v in cluster.versions] == ["churn-v4", "churn-v5"]
    assert place.bundles == {1, 2, 3, 4, 5}
    found = await retention(cluster, place).sweep(cluster.objects)
    assert (found.versions, [b.size_bytes for b in found.bundles]) == ((), [2000] * 3)
    assert place.bundles == {4, 5}
    assert place.retired() == ["churn-v1", "churn-v2", "churn-v3"]
    logged = list(place.root.glob("decisions/default/ml/churn/log/*-Retired.json"))
    assert len(logged) == 3
    assert len(list(place.root.glob("decisions/default/ml/churn/versions/*"))) == 5  # for ever


async def test_a_dry_run_changes_nothing(place: Place):
    cluster = five(place)
    before = sorted(place.root.rglob("*"))
    found = await retention(cluster, place).find(cluster.objects)
    assert len(found.versions) == 3
    assert sorted(place.root.rglob("*")) == before
    assert len(cluster.versions) == 5


async def test_an_operator_that_dies_goes_on_where_it_was(place: Place):
    cluster = five(place)
    cluster.dies = True
    with pytest.raises(OSError, match="killed"):
        await retention(cluster, place).sweep(cluster.objects)
    assert (len(cluster.versions), place.bundles) == (5, {1, 2, 3, 4, 5})
    cluster.dies = False
    for _ in range(2):
        await retention(cluster, place).sweep(cluster.objects)
    assert (len(cluster.versions), place.bundles) == (2, {4, 5})


async def test_bytes_that_another_version_shares_stay(place: Place):
    cluster = five(place)
    twin = version(5)
    twin["metadata"] |= {"namespace": "other", "name": "copy-v1", "uid": "c", "labels": {}}
    twin["spec"] |= {"model": "copy", "version": 1, "artifact": version(1)["spec"]["artifact"]}
    cluster.versions.append(twin)
    place.record(version(2), installation="another")  # of another cluster with the same store
    for _ in range(2):
        await retention(cluster, place).sweep(cluster.objects)
    assert place.bundles == {1, 2, 4, 5}


async def test_a_bundle_that_is_being_published_stays(place: Place):
    cluster = five(place)
    place.bundle(version(6), days=0.1)
    place.bundle(version(7), days=40)  # nobody made a version of it in forty days
    place.bundle(version(8), days=40)
    place.age(place.root / "bundles/ml/churn" / ("08" * 32) / "manifest.json", 0)  # published again
    await retention(cluster, place).sweep(cluster.objects)
    assert place.bundles == {1, 2, 3, 4, 5, 6, 8}


async def test_a_cluster_that_was_rebuilt_loses_nothing(place: Place):
    five(place)
    empty = Cluster(deployments=())
    for _ in range(2):
        found = await retention(empty, place).sweep(empty.objects)
        assert (found.versions, found.bundles) == ((), ())
    assert place.bundles == {1, 2, 3, 4, 5}


async def test_namespaces_that_are_not_looked_after_are_left_alone(place: Place):
    cluster = five(place)
    elsewhere = Objects((), (), (), ("other",))
    place.bundle(version(7), days=40)
    found = await retention(cluster, place).sweep(elsewhere)
    assert (found.versions, found.bundles) == ((), ())


async def test_runs_and_captured_rows_are_not_touched(place: Place):
    cluster = five(place)
    others = [
        "runs/u-1/result.json",
        "captured/a.parquet",
        "decisions/default/ml/churn/numbers/1.json",
    ]
    with open_store(place.root.as_uri()) as store:
        for path in others:
            store.put(path, b"{}")
            place.age(place.root / path, 400)
    for _ in range(2):
        await retention(cluster, place).sweep(cluster.objects)
    assert all((place.root / path).exists() for path in others)
