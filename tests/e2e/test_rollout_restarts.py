"""A rollout whose operator dies, whose memory is wiped, whose router is edited, whose object goes:
the end is the same."""

from __future__ import annotations

import json

import models
from harness import Space, eventually
from models import LARGE, SMALL, body
from trial import CANDIDATE, MODEL, STABLE, Trial, canary, shadow


def test_an_operator_killed_in_mid_canary_and_in_the_promotion(space: Space):
    """The promotion needs a second pod of the candidate, so there is time to die in it."""
    rollout = {"canary": canary((20, "1s"), (50, "1s"))}
    trial = Trial(space, rollout, replicas=2, routing={"replicas": 2})
    with trial.serve():
        trial.candidate(models.good())
        begun = trial.reaches("Canary", step=0)["startedAt"]
        space.cluster.kill_operator()
        status = trial.until(lambda s: (s.get("rollout") or {}).get("phase") == "Promoting")
        space.cluster.kill_operator()
        assert status["rollout"]["startedAt"] == begun
        status = trial.ends("Promoted")
        trial.only_answers("2")
    assert trial.load.failed == []
    history = [(entry["version"], entry["reason"]) for entry in status["history"]]
    assert history == [(CANDIDATE, "Promoted"), (STABLE, "Promoted")]
    assert status["readyReplicas"] == 2
    assert len(space.list("Workload", "pawl.dev/role=server")) == 1


def test_an_operator_killed_before_a_rollback(space: Space):
    trial = Trial(space, {"canary": canary((50, "1h"))})
    with trial.serve():
        trial.candidate(models.fails_above())
        trial.reaches("Canary")
        space.cluster.kill_operator()
        trial.load.bodies = [body(LARGE), body(SMALL)]
        status = trial.ends("GateFailed")
        trial.only_answers("1", 200)
    assert [entry["attempt"] for entry in status["rolledBack"]] == [1]


def test_a_status_wiped_in_mid_canary_is_found_again(space: Space):
    rollout = {"shadow": shadow(), "canary": canary((20, "1s"), (50, "1h"))}
    trial = Trial(space, rollout)
    with trial.serve():
        trial.candidate(models.good())
        trial.reaches("Canary", step=1)
        space.wipe_status("Deployment", MODEL)
        status = trial.until(lambda s: "rollout" in s)
        assert status["stable"]["name"] == STABLE
        trial.edit(canary=canary((20, "1s"), (50, "1s")))
        trial.ends("Promoted")
        trial.only_answers("2")
    assert trial.load.failed == []


def test_a_wiped_status_does_not_try_again_what_was_rolled_back(space: Space):
    trial = Trial(space, {"canary": canary((50, "1h"))})
    with trial.serve(bodies=[body(LARGE), body(SMALL)]):
        trial.candidate(models.fails_above())
        before = trial.ends("GateFailed")["rolledBack"]
        space.wipe_status("Deployment", MODEL)
        for name in (CANDIDATE, STABLE):
            space.wipe_status("ModelVersion", name)
        status = trial.until(lambda s: s.get("phase") == "Serving")
        trial.only_answers("1", 300)
    assert status["rolledBack"] == before
    assert status["stable"]["name"] == STABLE
    for name, stage in ((CANDIDATE, "Candidate"), (STABLE, "Champion")):
        space.until("ModelVersion", name, lambda s, stage=stage: s.get("stage") == stage)
    assert not [told for told in space.events(CANDIDATE) if told.startswith("Champion")]


def test_what_somebody_changes_in_the_router_is_put_back(space: Space):
    trial = Trial(space, {"canary": canary((20, "1h"))})
    with trial.serve():
        trial.candidate(models.good())
        trial.reaches("Canary")
        config = space.get("ConfigMap", f"{MODEL}-router")
        assert config is not None
        wanted = (config["data"], config["metadata"]["annotations"])
        routes = json.loads(config["data"]["rds.yaml"])
        everything = (
            json.dumps(routes)
            .replace('"weight": 80', '"weight": 5')
            .replace('"weight": 20', '"weight": 95')
        )
        assert everything != json.dumps(routes)
        change(space, {"data": {"rds.yaml": everything}})
        eventually(lambda: router(space) == wanted, "the routes to be put back")
        route = config["metadata"]["annotations"]["pawl.dev/route"]
        other = route.replace('"weight":80', '"weight":1').replace('"weight":20', '"weight":99')
        assert other != route
        change(space, {"metadata": {"annotations": {"pawl.dev/route": other}}})
        eventually(lambda: router(space) == wanted, "the route to be put back")
        change(space, {"data": {"rds.yaml": None}})
        eventually(lambda: router(space) == wanted, "the file to be put back")
        state = trial.reaches("Canary")
        trial.answered(200)
    assert state["weight"] == 20
    assert trial.load.failed == []


def router(space: Space) -> tuple[dict[str, str], dict[str, str]]:
    """What the router's ConfigMap holds."""
    config = space.get("ConfigMap", f"{MODEL}-router") or {"metadata": {}}
    return config.get("data", {}), config["metadata"].get("annotations", {})


def change(space: Space, patch: dict[str, object]) -> None:
    """As somebody would by `kubectl patch`."""
    text = json.dumps(patch)
    name = f"configmap/{MODEL}-router"
    space.cluster.kubectl("patch", name, "-n", space.name, "--type", "merge", "-p", text)


def test_a_deployment_deleted_in_mid_rollout_leaves_nothing_behind(space: Space):
    trial = Trial(space, {"canary": canary((20, "1h"))}).serve()
    trial.candidate(models.good())
    trial.reaches("Canary")
    assert len(children(space)) > 6
    space.delete("Deployment", MODEL)
    eventually(lambda: not children(space), lambda: f"no child: {children(space)}")
    # The operator has gone on meanwhile: what it serves next is all there is.
    other = models.imported(space, "other", 1, models.good())
    space.create("Deployment", "other", {"model": "other", "routing": {"replicas": 1}})
    space.serving("other", other)
    assert [name for name in children(space) if f"/{MODEL}" in name] == []


def children(space: Space) -> list[str]:
    """Whatever is in the namespace and was not put there by the cluster or by the test."""
    kinds = ("Workload", "Service", "ConfigMap", "Secret", "Pod", "HorizontalPodAutoscaler")
    found = [f"{kind}/{x['metadata']['name']}" for kind in kinds for x in space.list(kind)]
    # Certificates, say: a cluster puts them into every namespace, so into this one too.
    everywhere = space.cluster.resource("ConfigMap").get(namespace="kube-public").to_dict()["items"]
    given = {f"ConfigMap/{x['metadata']['name']}" for x in everywhere}
    return [name for name in found if name not in given]
