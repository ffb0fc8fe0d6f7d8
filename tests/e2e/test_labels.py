"""Truth that comes later: a version that is no longer right makes way, and groups are compared."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import models
import recipes
from harness import Space, columns_body, condition

TRUTH = {"metric": "accuracy", "min": 0.9, "window": "20s", "labelDelay": "0s"}


@contextmanager
def told(url: str, model: str, bodies: list[Any], truth: Callable[[int], Any]) -> Iterator[None]:
    """Users whose requests are answered, and who say at once what was right."""
    stop = threading.Event()

    def run() -> None:
        with httpx.Client(base_url=f"{url}/v2/models/{model}", timeout=20, trust_env=False) as http:
            for number in itertools.count():
                if stop.is_set():
                    return
                place = number % len(bodies)
                answer = http.post("/infer", json=bodies[place])
                if answer.status_code != 200:
                    continue
                token = answer.json()["parameters"]["feedback"]
                entry = {"token": token, "truth": truth(place)}
                query = {"token": token[:16]}
                http.post("/feedback", params=query, json={"feedback": [entry]})
                stop.wait(0.01)

    thread = threading.Thread(target=run, name="users")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_version_that_is_proved_wrong_makes_way_for_the_one_before(space: Space):
    models.imported(space, "sign", 1, models.good())
    drift = {"performance": TRUTH, "action": "rollback"}
    space.create("Deployment", "sign", {"model": "sign", "replicas": 1, "drift": drift})
    space.serving("sign", "sign-v1")
    inputs = [3.0, -3.0]
    with told(space.url("sign"), "sign", [models.body(x) for x in inputs], lambda i: 1 - i):
        status = space.until(
            "Deployment",
            "sign",
            lambda s: (
                ((s["drift"].get("labels") or {}).get("performance") or {}).get("verdict") == "Pass"
            ),
        )
        assert status["drift"]["labels"]["performance"]["value"] == 1.0
        models.imported(space, "sign", 2, models.contrary())
        space.serving("sign", "sign-v2")
        status = space.serving("sign", "sign-v1")
    reasons = [(entry["version"], entry["reason"]) for entry in status["history"]]
    assert reasons[0] == ("sign-v1", "RolledBack")
    assert status["rolledBack"][0]["version"] == "sign-v2"
    assert status["rolledBack"][0]["reason"] == "PerformanceDecayed"
    assert space.told("sign", "Drifted: accuracy 0 is proved to be beyond 0.9")


def test_groups_that_are_answered_too_differently_are_named(space: Space):
    rows = recipes.cancer()
    space.create("TrainingJob", "job", recipes.sklearn_job(space.put("cancer.parquet", rows)))
    fairness = {"metric": "demographic_parity_difference", "attribute": "size", "max": 0.2}
    drift = {"performance": TRUTH | {"min": 0.5}, "fairness": fairness}
    space.create("Deployment", "cancer", {"model": "cancer", "replicas": 1, "drift": drift})
    space.serving("cancer", space.trained("job"))
    bodies = []
    for i, radius in enumerate(rows["mean radius"]):
        body = columns_body({name: float(rows[name][i]) for name in recipes.FEATURES})
        bodies.append(body | {"parameters": {"group": "large" if radius > 14 else "small"}})
    with told(space.url("cancer"), "cancer", bodies, lambda i: rows["diagnosis"][i]):
        status = space.until(
            "Deployment", "cancer", lambda s: condition(s, "Drifted")["reason"] == "Unfair"
        )
    labels = status["drift"]["labels"]
    assert labels["performance"]["verdict"] == "Pass"
    assert labels["fairness"]["verdict"] == "Fail"
    assert "size: large is" in labels["fairness"]["message"]
