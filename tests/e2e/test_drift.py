"""The closed loop: drift is noticed and named, a successor is trained and served, and never in
vain again and again."""

from __future__ import annotations

import pytest
from drifting import RECIPE, RETRAIN, bodies, dated, loop, rows
from harness import Space, condition, eventually
from trial import pawl


def test_drift_is_named_and_a_successor_on_fresh_labels_takes_over(space: Space):
    roc_auc = {"metric": "roc_auc"}
    least, not_worse = {"min": 0.9}, {"champion": {"notWorseBy": 0.2, "minRows": 20}}
    gates = [roc_auc | least, roc_auc | not_worse]
    data = RECIPE["data"] | {"timeColumn": "at"}
    recipe = RECIPE | {"data": data, "evaluation": {"metrics": ["roc_auc"], "gates": gates}}
    performance = {"metric": "accuracy", "min": 0.5, "labelDelay": "1h"}
    fresh = dated(rows(13), 400, "q")
    with loop(space, RETRAIN | {"minLabelled": 100}, recipe, performance=performance) as seen:
        seen.until("Drifted", "False", "AsBefore")
        assert seen.retrains == []
        space.put("cancer.parquet", {name: values[:50] for name, values in fresh.items()})
        seen.load.bodies = bodies(rows(13))
        drifted = seen.until("Drifted", "True", "Drifted")
        assert "mean radius psi" in drifted["message"]
        few = space.told("cancer", "NoNewData")
        assert "50 labelled rows are newer than" in few
        assert "minLabelled is 100; nothing was trained" in few
        space.put("cancer.parquet", fresh)
        space.serving("cancer", "cancer-v2")
        seen.until("Drifted", "False", "AsBefore")
        job = seen.retrains[-1]
        status = seen.status()
    cause = job["spec"]["cause"]
    assert (cause["deployment"], cause["reason"]) == ("cancer", "Drifted")
    assert "mean radius" in cause["features"]
    assert (cause["labelDelay"], cause["minLabelled"]) == ("1h", 100)
    assert status["retrain"]["outcome"] == "Helped"
    assert (status["retrain"]["fruitless"], status["retrain"]["today"]) == (0, 1)
    assert status["drift"]["version"] == "cancer-v2"
    assert space.told("cancer", "RetrainStarted")
    assert space.told("cancer", "DriftEnded")
    made = space.get("ModelVersion", "cancer-v2")
    assert made is not None
    window = made["spec"]["lineage"]["data"]["window"]
    assert [gate["kind"] for gate in made["spec"]["gates"]] == ["min", "champion"]
    assert all(f"rows since {window['start']}" in gate["message"] for gate in made["spec"]["gates"])
    assert made["spec"]["oldWindow"]["metrics"].keys() == made["spec"]["metrics"].keys()
    assert made["spec"]["oldWindow"]["champion"]["roc_auc"] > 0.8
    again = pawl(space.cluster, "reproduce", "mv/cancer-v2", "-n", space.name)
    assert "is reproduced: all" in again


def test_without_fresh_rows_nothing_is_trained_and_it_is_said(space: Space):
    with loop(space, {"template": RECIPE, "cooldown": "1h"}) as seen:
        seen.load.bodies = bodies(rows(13))
        seen.until("Drifted", "True")
        status = space.until(
            "Deployment",
            "cancer",
            lambda s: (s.get("retrain") or {}).get("outcome") == "NoNewData",
        )
        (job,) = seen.retrains
    assert job["status"]["phase"] == "NoNewData"
    assert status["retrain"]["today"] == 0
    assert len(space.list("ModelVersion")) == 1
    assert space.told("cancer", "NoNewData")


def test_retrains_in_vain_open_the_breaker_until_it_is_reset(space: Space):
    retrain = RETRAIN | {"breaker": {"fruitless": 2}}
    with loop(space, retrain) as seen:
        gates = [{"metric": "accuracy", "min": 1.0}]
        space.patch("TrainingJob", "recipe", {"evaluation": {"gates": gates}})
        space.until("TrainingJob", "recipe", lambda s: s["run"]["number"] == 2)
        space.put("cancer.parquet", rows(13))
        seen.load.bodies = bodies(rows(13))
        opened = seen.until("Retraining", "False", "BreakerOpen")
        assert "2 retrains in a row" in opened["message"]
        assert len(seen.retrains) == 2
        last = seen.retrains[-1]["metadata"]["name"]
        assert space.told("cancer", "RetrainFruitless")
        space.cluster.resource("Deployment").patch(
            name="cancer",
            namespace=space.name,
            body={"metadata": {"annotations": {"pawl.dev/reset-breaker": last}}},
            content_type="application/merge-patch+json",
        )
        space.until("Deployment", "cancer", lambda s: s["retrain"]["trainingJob"] > last, limit=60)
    assert space.status("Deployment", "cancer")["stable"]["name"] == "cancer-v1"


def test_neither_a_lost_pod_nor_a_lost_operator_looks_like_drift(space: Space):
    with loop(space) as seen:
        begun = seen.until("Drifted", "False", "AsBefore")["message"]
        for pod in space.list("Pod", "pawl.dev/role=server"):
            space.delete("Pod", pod["metadata"]["name"])
        space.cluster.kill_operator()
        space.wipe_status("Deployment", "cancer")
        seen.load._requests.clear()  # what the lost pod did not answer is not what is tested here
        space.until(
            "Deployment",
            "cancer",
            lambda s: (
                condition(s, "Drifted")["status"] == "False"
                and condition(s, "Drifted")["message"] != begun
            ),
        )
        assert seen.retrains == []
        seen.load._requests.clear()


def test_a_long_run_without_drift_retrains_nothing(space: Space, request: pytest.FixtureRequest):
    windows = request.config.getoption("--windows")
    with loop(space) as seen:
        limit = 60 + 13 * windows
        space.until("Deployment", "cancer", lambda s: s["drift"]["windows"] >= windows, limit)
        assert condition(seen.status(), "Drifted")["reason"] == "AsBefore"
        assert seen.retrains == []
        assert not [event for event in space.events("cancer") if event.startswith("Drifted")]


def kill(space: Space) -> None:
    """As soon as there is one again."""
    eventually(space.cluster.has_operator, "an operator")
    space.cluster.kill_operator()


def test_an_operator_killed_at_every_stage_ends_in_the_same(space: Space):
    with loop(space) as seen:
        seen.until("Drifted", "False", "AsBefore")
        space.put("cancer.parquet", rows(13))
        seen.load.bodies = bodies(rows(13))
        kill(space)  # while a window runs
        seen.until("Drifted", "True", "Drifted")
        kill(space)  # as the successor is asked for
        eventually(lambda: len(seen.retrains) == 1, "a retrain")
        kill(space)  # while it is trained
        space.until("ModelVersion", "cancer-v2", lambda s: s.get("stage") is not None)
        kill(space)  # while it takes over
        space.serving("cancer", "cancer-v2")
        seen.until("Drifted", "False", "AsBefore")
        assert len(seen.retrains) == 1
        status = seen.status()
    assert status["retrain"]["outcome"] == "Helped"
    assert [v["metadata"]["name"] for v in space.list("ModelVersion")] == ["cancer-v1", "cancer-v2"]
