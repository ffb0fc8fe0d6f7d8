"""What is kept of what the demo has seen."""

from __future__ import annotations

from typing import Any

import pytest

from pawl.cli.demo.story import Moment, Share, Story
from pawl.constants import API_VERSION

BEGUN = 1_767_225_600.0  # 2026-01-01T00:00:00Z


def at(second: int) -> str:
    return f"2026-01-01T00:00:{second:02d}Z"


def traffic(**weights: int) -> dict[str, Any]:
    parts = [{"version": v, "role": "stable", "weight": w} for v, w in weights.items()]
    return {"traffic": parts}


def window(start: int, verdict: str = "Pass", **more: Any) -> dict[str, Any]:
    decided = {"start": at(start), "end": at(start + 10), "samples": 900, "verdict": verdict}
    return {"drift": {"version": "m-v1", "decided": decided | more}}


def version(number: int, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": f"m-v{number}", "creationTimestamp": at(number)},
        "spec": {"version": number, **spec},
    }


def ended(status: dict[str, Any], versions: int = 3) -> list[str]:
    story = Story(BEGUN)
    story.finish({"status": status}, [version(n + 1) for n in range(versions)], [], [])
    return [fate.ended for fate in story.fates]


def test_only_changes_of_the_traffic_are_kept() -> None:
    story = Story(BEGUN)
    for second, status in enumerate([{}, traffic(a=100), traffic(a=100), traffic(a=80, b=20), {}]):
        story.look(status, float(second))
    assert story.moments == [
        Moment(1.0, (Share("a", "stable", 100),)),
        Moment(3.0, (Share("a", "stable", 80), Share("b", "stable", 20))),
    ]


def test_a_window_is_kept_once_with_its_times_from_the_beginning() -> None:
    story = Story(BEGUN)
    index = {"feature": "age", "metric": "psi", "value": 1.5, "threshold": 0.2, "verdict": "Fail"}
    for status in (window(2), window(2), window(12, "Fail", worst=[index])):
        story.look(status, 30.0)
    assert [(w.start, w.end, w.verdict) for w in story.windows] == [
        (2.0, 12.0, "Pass"),
        (12.0, 22.0, "Fail"),
    ]
    assert [(i.feature, i.value) for i in story.windows[1].worst] == [("age", 1.5)]


def rollout(phase: str, *gates: tuple[str, str, str]) -> dict[str, Any]:
    keys = ("stage", "metric", "verdict")
    told = [dict(zip(keys, gate, strict=True)) for gate in gates]
    return {"rollout": {"candidate": "m-v2", "phase": phase, "gates": told}}


def test_of_a_gate_the_last_verdict_is_kept_and_that_of_the_split_is_none() -> None:
    story = Story(BEGUN)
    for verdict in ("Inconclusive", "Fail"):
        gates = [("canary", metric, verdict) for metric in ("error_rate", "traffic_split")]
        story.look(rollout("Canary", *gates), 1.0)
    (gate,) = story.gates.values()
    assert (gate.version, gate.name, gate.metric, gate.verdict) == (
        "m-v2",
        "canary",
        "error_rate",
        "Fail",
    )


def test_gates_of_a_stage_that_was_never_reached_are_left_out() -> None:
    story = Story(BEGUN)
    gates = ("shadow", "disagreement", "Fail"), ("canary", "error_rate", "Inconclusive")
    for phase in ("Shadow", "RollingBack"):
        story.look(rollout(phase, *gates), 1.0)
    assert [gate.stage for gate in story.gates.values()] == ["shadow"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param({"stable": {"name": "m-v1"}}, ["is served", "never served"], id="served"),
        pytest.param(
            {
                "stable": {"name": "m-v2"},
                "history": [{"version": "m-v2"}, {"version": "m-v1"}],
            },
            ["made way for m-v2", "is served"],
            id="replaced",
        ),
        pytest.param(
            {
                "stable": {"name": "m-v1"},
                "history": [{"version": "m-v2"}, {"version": "m-v1"}],
                "rolledBack": [{"version": "m-v2", "message": "it fails"}],
            },
            ["is served", "rolled back: it fails"],
            id="rolled back",
        ),
        pytest.param(
            {
                "stable": {"name": "m-v3"},
                "history": [{"version": "m-v3"}, {"version": "m-v2"}, {"version": "m-v1"}],
                "rolledBack": [{"version": "m-v2", "message": "it fails"}],
            },
            ["made way for m-v3", "rolled back: it fails", "is served"],
            id="a failed one in between",
        ),
    ],
)
def test_how_a_version_ended(status: dict[str, Any], expected: list[str]) -> None:
    assert ended(status, len(expected)) == expected


def test_a_retrain_says_why() -> None:
    lineage = {"lineage": {"trainingJob": {"name": "again"}}}
    job = {"metadata": {"name": "again"}, "spec": {"cause": {"reason": "Drifted"}}}
    story = Story(BEGUN)
    story.finish({}, [version(1, **lineage), version(2)], [job], [])
    assert [fate.origin for fate in story.fates] == ["again: Drifted", "imported"]


def event(second: int, reason: str, api_version: str = API_VERSION) -> dict[str, Any]:
    about = {"apiVersion": api_version, "kind": "Deployment", "name": "m"}
    told = {"involvedObject": about, "firstTimestamp": at(second), "reason": reason}
    return told | {"message": "", "type": "Normal"}


def test_events_are_in_their_order_and_those_of_pods_and_the_like_are_left_out() -> None:
    story = Story(BEGUN)
    events = [event(9, "DriftEnded"), event(5, "Scaled", "apps/v1"), event(3, "Drifted")]
    story.finish({}, [], [], events)
    assert [(told.at, told.reason) for told in story.events] == [
        (3.0, "Drifted"),
        (9.0, "DriftEnded"),
    ]
