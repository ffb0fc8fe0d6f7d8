"""The last act: other patients come, and the model follows.

From one moment on only rows with a large radius are asked for, and only such rows come in for
training. Nobody does anything: the operator notices, names the features, trains a successor, tries
it, promotes it, and finds that what comes is like the baseline again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pawl.cli.demo.apply import NAMESPACE
from pawl.cli.demo.stage import Stage, condition
from pawl.cli.demo.story import EVERY_EVENT
from pawl.cli.demo.traffic import DemoError, expect_all_answered
from pawl.cli.example_data import write_breast_cancer
from pawl.control.kinds import TRAINING_JOBS

Object = Mapping[str, Any]
#: The least `mean radius` of the rows that come: 400 of 569.
_LEAST, _SHIFTED = 12.0, "mean radius"
_TOLD_LIMIT = 10.0


async def close_the_loop(stage: Stage, rows: list[dict[str, Any]], stable: str) -> None:
    """DemoError with what did not follow. `rows` came until now, `stable` is served."""
    async with stage.load("nothing has changed yet", rows) as traffic:
        told = await stage.until(f"a window of {stable}", _as_before(stable), _window)
    expect_all_answered(traffic)
    stage.done(f"no drift of {stable}: {told['drift']['decided']['message']}")
    shifted = write_breast_cancer(stage.data / "breast-cancer.parquet", least=_LEAST)
    text = f"only {_SHIFTED} ≥ {_LEAST:g} from now on: {len(shifted)} of {len(rows)} rows"
    stage.story.mark(text)
    stage.done(text)
    async with stage.load("the population shifts", shifted) as traffic:
        told = await stage.until("drift to be noticed", _drifted, _window)
        stage.done(f"drift: {told['drift']['decided']['message']}")
        successor = await stage.trained(await _retrain(stage))
        _passed_champion(await stage.version(successor))
        await stage.rollout(successor, "Promoted")
        told = await stage.until(f"a window of {successor}", _as_before(successor), _window)
        stage.done(f"no drift of {successor}: {told['drift']['decided']['message']}")
    expect_all_answered(traffic)
    if told["retrain"].get("outcome") != "Helped":
        raise DemoError(f"the retrain did not help: {told['retrain']}")
    for reason in ("Drifted", "RetrainStarted", "DriftEnded"):
        await _event(stage, reason)
    stage.done(f"the loop is closed: {traffic.ok} requests, 0 failed")


async def _retrain(stage: Stage) -> str:
    """The TrainingJob that drift has started, and that says why."""
    told = await stage.until(
        "a retrain", lambda told: bool((told.get("retrain") or {}).get("trainingJob")), _window
    )
    name = str(told["retrain"]["trainingJob"])
    job = await stage.kube.get(TRAINING_JOBS, NAMESPACE, name)
    cause: Object = job["spec"].get("cause", {}) if job is not None else {}
    if cause.get("reason") != "Drifted" or _SHIFTED not in cause.get("features", ()):
        raise DemoError(f"{name} does not say why it was started: {cause}")
    stage.done(f"{name} is started because of {', '.join(cause['features'])}")
    return name


def _passed_champion(version: Object) -> None:
    gates = {gate["kind"]: gate for gate in version["spec"].get("gates", ())}
    if gates.get("champion", {}).get("verdict") != "Pass":
        raise DemoError(f"the gate against the champion did not pass: {gates}")


async def _event(stage: Stage, reason: str) -> None:
    """Events follow the status."""
    deadline = time.monotonic() + _TOLD_LIMIT
    while time.monotonic() < deadline:
        events, _ = await stage.kube.list(EVERY_EVENT, NAMESPACE)
        if any(event["reason"] == reason for event in events):
            return
        await asyncio.sleep(0.2)
    raise DemoError(f"there is no event {reason}")


def _drifted(told: Object) -> bool:
    if condition(told, "Drifted").get("status") != "True":
        return False
    named = told["drift"]["decided"]["drifted"]
    if _SHIFTED not in named:
        raise DemoError(f"drift of other features: {named}")
    return True


def _as_before(version: str) -> Any:
    def holds(told: Object) -> bool:
        drift, found = told.get("drift") or {}, condition(told, "Drifted")
        if drift.get("version") != version or not drift.get("decided"):
            return False
        if drift["decided"]["verdict"] == "Fail":
            raise DemoError(f"{version}: {drift['decided']['message']}")
        return bool(found.get("status") == "False")

    return holds


def _window(told: Object) -> str:
    drift = told.get("drift") or {}
    if not drift:
        return "…"
    left = (datetime.fromisoformat(drift["windowEnd"]) - datetime.now(UTC)).total_seconds()
    return f"the window of {drift['version']} is decided in {max(left, 0):.0f} s"
