"""Objects of the three kinds in every state, as planners leave them; see tests/golden/gitops."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from serving_world import Serving, serving, version
from test_deployment_rollout import Trial, trial
from world import World, failed_pod, training_job

from pawl.artifacts.runs import Termination
from pawl.core.modelversion import ModelVersionObserved, Verification, plan_model_version

GOLDEN = Path(__file__).parents[2] / "golden/gitops"
Object = dict[str, Any]


def _job(**spec: Any) -> World:
    world = World()
    world.add(training_job(**spec))
    return world


def _of_job(world: World) -> Object:
    world.settle()
    return world.objects[("TrainingJob", "churn-nov")]


def _new_job() -> Object:
    """The CRD's default is all that there is of a status."""
    return {**training_job(), "status": {"observedGeneration": -1}}


def _running_job() -> Object:
    return _of_job(_job())


def _changed_job() -> Object:
    item = _running_job()
    item["metadata"]["generation"] = 2
    return item


def _pulling_job() -> Object:
    world = _job()
    world.settle()
    waiting = {"reason": "ImagePullBackOff", "message": "not found"}
    status = {"name": "train", "image": "me/train:1", "state": {"waiting": waiting}}
    world.pods = [
        {
            "metadata": {"name": "p", "creationTimestamp": "2026-11-21T12:00:00Z"},
            "spec": {"initContainers": [], "containers": []},
            "status": {"phase": "Pending", "initContainerStatuses": [status]},
        }
    ]
    return _of_job(world)


def _suspended_job() -> Object:
    return _of_job(_job(suspend=True))


def _complete_job() -> Object:
    world = _job()
    world.settle()
    world.finish_job()
    return _of_job(world)


def _failed_job() -> Object:
    world = _job()
    world.settle()
    words = Termination(stage="prepare", reason="CheckFailed", message="3 rows of monthly")
    world.pods = [failed_pod("prepare", 10, words.model_dump_json())]
    world.fail_job()
    return _of_job(world)


def _invalid_job() -> Object:
    """Stored before a schema change."""
    return _of_job(_job(data={"uri": "x", "task": "clustering", "target": "y"}))


def _version(verification: Verification, **spec: Any) -> Object:
    item = version(7, **spec)
    item["metadata"] |= {"uid": "uid-v7"}
    item["spec"]["artifact"]["format"] = "onnx"
    del item["status"]
    observed = ModelVersionObserved(copy.deepcopy(item), (item,), (), verification)
    item["status"] = plan_model_version(observed, World().clock).status
    return item


def _good(**spec: Any) -> Object:
    return _version(Verification(digest="sha256:" + f"{7:064x}"), **spec)


def _unread_version() -> Object:
    return _version(Verification(reason="StoreUnreachable", message="no answer"))


def _broken_version() -> Object:
    words = "model.onnx has other bytes than the manifest says"
    return _version(Verification(reason="DigestMismatch", message=words, final=True))


def _deployment(world: Serving) -> Object:
    return world.objects[("Deployment", "churn")]


def _without_version() -> Object:
    world = serving()
    world.settle()
    return _deployment(world)


def _starting() -> Object:
    world = serving(version(1))
    world.reconcile()
    return _deployment(world)


def _serving() -> Object:
    world = serving(version(1))
    world.settle()
    return _deployment(world)


def _pinned_to_nothing() -> Object:
    world = serving(version(1), version="churn-v9")
    world.settle()
    return _deployment(world)


def _routers_gone() -> Object:
    world = serving(version(1))
    world.settle()
    world.routers_up = False
    world.settle()
    return _deployment(world)


def _in(phase: str, **rollout: Any) -> Callable[[], Object]:
    def made() -> Object:
        world = trial(**rollout)
        world.until(phase)
        return _deployment(world)

    return made


def _seconds(count: int, bad: float = 0.0, **rollout: Any) -> Callable[[], Object]:
    def made() -> Object:
        world: Trial = trial(**rollout)
        world.bad = {2: bad}
        for _ in range(count):
            world.second()
        return _deployment(world)

    return made


CASES: dict[str, Callable[[], Object]] = {
    "job-new": _new_job,
    "job-running": _running_job,
    "job-changed": _changed_job,
    "job-image-missing": _pulling_job,
    "job-suspended": _suspended_job,
    "job-complete": _complete_job,
    "job-failed": _failed_job,
    "job-invalid": _invalid_job,
    "version-good": _good,
    "version-unread": _unread_version,
    "version-broken": _broken_version,
    "version-waits-for-approval": lambda: _good(approval="Required"),
    "version-turned-down": lambda: _good(approval="Rejected"),
    "version-gate-failed": lambda: _version(
        Verification(digest="sha256:" + f"{7:064x}"),
        gates=[{"metric": "roc_auc", "kind": "min", "verdict": "Fail", "limit": 0.9}],
    ),
    "deployment-no-version": _without_version,
    "deployment-starting": _starting,
    "deployment-serving": _serving,
    "deployment-stalled": _pinned_to_nothing,
    "deployment-routers-gone": _routers_gone,
    "deployment-shadow": _in("Shadow"),
    "deployment-canary": _in("Canary"),
    "deployment-paused": _seconds(10, paused=True),
    "deployment-awaits-promotion": _seconds(60, promotion="Manual"),
    "deployment-holdback": _in("Holdback", holdback={"weight": 5, "duration": "7d"}),
    "deployment-promoted": _seconds(60),
    "deployment-rolled-back": _seconds(60, bad=0.5),
}


def golden(case: str) -> Object:
    """An object as it was recorded. PAWL_REWRITE_GOLDEN=1 records anew."""
    path = GOLDEN / f"{case}.yaml"
    if os.environ.get("PAWL_REWRITE_GOLDEN"):
        path.write_text(yaml.safe_dump(_plain(CASES[case]()), sort_keys=False, width=100))
    return yaml.safe_load(path.read_text())  # type: ignore[no-any-return]


def _plain(item: Object) -> Object:
    """Without tuples and shared parts, which YAML would mark."""
    if isinstance(item, dict):
        return {key: _plain(value) for key, value in item.items()}
    return [_plain(value) for value in item] if isinstance(item, list | tuple) else item


def planned(case: str) -> Object:
    """The same object from today's planners."""
    return _plain(CASES[case]())
