from datetime import UTC, datetime
from typing import Any

import pytest

from pawl.local.node.states import Record, Role, Running, Terminated, Waiting
from pawl.local.node.status import Facts, Verdict, build, phase

Obj = dict[str, Any]
THEN = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)

WAITING = Waiting("ContainerCreating")
RUNNING = Running(THEN)


def ended(code: int) -> Terminated:
    return Terminated(code, "Error" if code else "Completed", THEN, THEN, "pawl://1")


def record(
    state: Any, role: Role = "main", name: str = "c", last: Terminated | None = None, **more: Any
) -> Record:
    container_id = "" if isinstance(state, Waiting) and last is None else "pawl://1"
    spec = {"name": name, "image": "busybox"}
    return Record(spec, role, state, last, container_id=container_id, **more)


@pytest.mark.parametrize(
    ("records", "finished", "expected"),
    [
        pytest.param([record(WAITING)], False, "Pending", id="creating"),
        pytest.param([record(RUNNING)], False, "Running", id="running"),
        pytest.param([record(RUNNING), record(WAITING)], False, "Pending", id="one still creating"),
        pytest.param([record(ended(0))], False, "Running", id="about to restart"),
        pytest.param([record(WAITING, last=ended(1))], False, "Running", id="crash loop"),
        pytest.param([record(ended(0))], True, "Succeeded", id="done"),
        pytest.param([record(ended(1))], True, "Failed", id="failed"),
        pytest.param([record(ended(1))], False, "Running", id="tries again"),
        pytest.param([record(ended(0))], True, "Succeeded", id="succeeds at last"),
        pytest.param([record(ended(0)), record(RUNNING)], False, "Running", id="one done"),
        pytest.param([record(ended(0)), record(ended(2))], True, "Failed", id="one failed"),
        pytest.param([record(RUNNING, "init"), record(WAITING)], False, "Pending", id="init runs"),
        pytest.param([record(ended(1), "init"), record(WAITING)], True, "Failed", id="init failed"),
        pytest.param(
            [record(ended(1), "init"), record(WAITING)],
            False,
            "Pending",
            id="init is tried again",
        ),
        pytest.param(
            [record(RUNNING, "sidecar", started=True), record(ended(0))],
            False,
            "Running",
            id="sidecar has still to stop",
        ),
        pytest.param(
            [record(ended(143), "sidecar"), record(ended(0))],
            True,
            "Succeeded",
            id="a sidecar's exit code does not matter",
        ),
        pytest.param([record(ended(143))], True, "Failed", id="stopped by deletion"),
        pytest.param([record(WAITING)], True, "Failed", id="deleted before it ran"),
    ],
)
def test_phase(records: list[Record], finished: bool, expected: str) -> None:
    assert phase(records, finished=finished) == expected


def status(records: list[Record], pod: Obj | None = None, **facts: Any) -> Obj:
    pod = pod or {"metadata": {"generation": 3}, "spec": {"restartPolicy": "Never"}}
    fields = {"host_ip": "127.20.0.1", "pod_ip": "127.20.64.1", "start": THEN, "sandbox": True}
    return build(pod, Facts(records, **{**fields, **facts}), NOW)


def conditions(found: Obj) -> dict[str, tuple[str, str, str]]:
    return {
        c["type"]: (c["status"], c.get("reason", ""), c.get("message", ""))
        for c in found["conditions"]
    }


def test_conditions_of_a_pod_that_initializes() -> None:
    found = status([record(RUNNING, "init", "prepare"), record(WAITING, name="publish")])
    assert conditions(found) == {
        "PodReadyToStartContainers": ("True", "", ""),
        "Initialized": (
            "False",
            "ContainersNotInitialized",
            "containers with incomplete status: [prepare]",
        ),
        "Ready": (
            "False",
            "ContainersNotReady",
            "containers with unready status: [publish]",
        ),
        "ContainersReady": (
            "False",
            "ContainersNotReady",
            "containers with unready status: [publish]",
        ),
        "PodScheduled": ("True", "", ""),
    }


@pytest.mark.parametrize(
    ("code", "reason", "initialized"), [(0, "PodCompleted", "PodCompleted"), (1, "PodFailed", "")]
)
def test_conditions_of_a_finished_pod(code: int, reason: str, initialized: str) -> None:
    found = conditions(status([record(ended(code))], finished=True))
    assert found["Ready"] == found["ContainersReady"] == ("False", reason, "")
    assert found["Initialized"] == ("True", initialized, "")
    assert found["PodReadyToStartContainers"][0] == "False"


def test_readiness_gates_hold_a_pod_back() -> None:
    pod: Obj = {
        "metadata": {},
        "spec": {"readinessGates": [{"conditionType": "x/y"}]},
        "status": {"conditions": [{"type": "x/y", "status": "False"}]},
    }
    found = status([record(RUNNING, ready=True, started=True)], pod)
    assert conditions(found)["ContainersReady"][0] == "True"
    assert conditions(found)["Ready"] == (
        "False",
        "ReadinessGatesNotReady",
        'the status of pod readiness gate "x/y" is not "True", but False',
    )
    assert conditions(found)["x/y"] == ("False", "", "")


def test_the_transition_time_moves_only_with_the_status() -> None:
    before = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    pod = {"metadata": {}, "spec": {}, "status": {"conditions": [before]}}
    ready = record(RUNNING, ready=True, started=True)
    times = {c["type"]: c["lastTransitionTime"] for c in status([ready], pod)["conditions"]}
    assert times["Ready"] == "2026-01-01T00:00:00Z"
    assert times["ContainersReady"] == "2026-11-21T05:00:00Z"


def test_the_nodes_own_verdict_fails_the_pod() -> None:
    verdict = Verdict("DeadlineExceeded", "too long")
    found = status([record(ended(0))], finished=True, verdict=verdict)
    assert (found["phase"], found["reason"]) == ("Failed", "DeadlineExceeded")


def test_container_status() -> None:
    found = status([record(Waiting("CrashLoopBackOff", "m"), last=ended(2), restarts=3)])
    assert found["containerStatuses"] == [
        {
            "name": "c",
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "m"}},
            "lastState": {
                "terminated": {
                    "exitCode": 2,
                    "reason": "Error",
                    "startedAt": "2026-11-21T04:00:00Z",
                    "finishedAt": "2026-11-21T04:00:00Z",
                    "containerID": "pawl://1",
                }
            },
            "ready": False,
            "restartCount": 3,
            "image": "busybox",
            "imageID": "pawl.local/busybox",
            "started": False,
            "containerID": "pawl://1",
        }
    ]
