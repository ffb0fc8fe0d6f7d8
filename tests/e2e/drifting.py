"""The closed loop of a model whose users change: what end-to-end tests of drift begin with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import recipes
from harness import Object, Space, columns_body, condition
from load import Load

DRIFT = {"window": "12s", "maxWindow": "2m", "action": "retrain"}
RETRAIN = {"from": "recipe", "cooldown": "1s", "maxPerDay": 9}
RECIPE = recipes.sklearn_job("pvc://data/cancer.parquet")
COLUMNS = ("patient", *recipes.FEATURES, "diagnosis")


def rows(least: float) -> dict[str, Any]:
    """Those with a radius of at least so much, of both classes."""
    every = recipes.cancer()
    kept = [i for i, radius in enumerate(every["mean radius"]) if radius >= least]
    return {name: [every[name][i] for i in kept] for name in COLUMNS}


def dated(some: dict[str, Any], ago: int, prefix: str) -> dict[str, Any]:
    """One an hour, the first so many hours ago, each of a patient of its own."""
    first, count = datetime.now(UTC) - timedelta(hours=ago), len(some["patient"])
    patients = [f"{prefix}{i}" for i in range(count)]
    return some | {"patient": patients, "at": [first + timedelta(hours=i) for i in range(count)]}


def bodies(some: Object) -> list[Any]:
    return [
        columns_body({name: float(some[name][i]) for name in recipes.FEATURES})
        for i in range(len(some["patient"]))
    ]


class Loop:
    """A served model whose users come from `rows(0)`, until the test sends others."""

    def __init__(self, space: Space, load: Load) -> None:
        self.space = space
        self.load = load

    def status(self) -> dict[str, Any]:
        return self.space.status("Deployment", "cancer")

    def until(self, type_: str, status: str, reason: str = "") -> dict[str, Any]:
        """The condition, once it is so."""

        def holds(seen: dict[str, Any]) -> bool:
            found = condition(seen, type_)
            return found["status"] == status and reason in ("", found["reason"])

        return condition(self.space.until("Deployment", "cancer", holds, 180), type_)

    @property
    def retrains(self) -> list[dict[str, Any]]:
        found = self.space.list("TrainingJob", "pawl.dev/deployment=cancer")
        return sorted(found, key=lambda job: job["metadata"]["name"])


@contextmanager
def loop(
    space: Space,
    retrain: Object = RETRAIN,
    recipe: Object = RECIPE,
    rollout: Object | None = None,
    **changes: Any,
) -> Iterator[Loop]:
    """Trains and serves `cancer`; `changes` are of `DRIFT`."""
    space.put("cancer.parquet", dated(rows(0), 1000, "p"))
    space.create("TrainingJob", "recipe", recipe)
    assert space.trained("recipe") == "cancer-v1"
    spec = {"model": "cancer", "replicas": 1, "drift": DRIFT | changes, "retrain": retrain}
    space.create("Deployment", "cancer", spec | ({"rollout": rollout} if rollout else {}))
    space.serving("cancer", "cancer-v1")
    with Load(space.url("cancer"), "cancer", bodies(rows(0))) as load:
        yield Loop(space, load)
    assert load.failed == []
