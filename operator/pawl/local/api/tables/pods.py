"""The row of a pod: what its containers are up to, in one word (printers.go, printPod)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pawl.local.api.tables.durations import since

Obj = dict[str, Any]
_NONE = "<none>"


@dataclass
class _Tally:
    """Counted while going through the containers."""

    reason: str
    ready: int = 0
    total: int = 0
    restarts: int = 0
    last_restart: str = ""

    def restarted(self, container: Obj) -> None:
        self.restarts += container.get("restartCount", 0)
        ended = (container.get("lastState") or {}).get("terminated") or {}
        self.last_restart = max(self.last_restart, ended.get("finishedAt") or "")


def pod_conditions(pod: Obj) -> list[Obj]:
    """Rows of finished pods are marked, so that clients can leave them out."""
    match (pod.get("status") or {}).get("phase"):
        case "Succeeded":
            reason, message = "Succeeded", "The pod has completed successfully."
        case "Failed":
            reason, message = "Failed", "The pod failed."
        case _:
            return []
    return [{"type": "Completed", "status": "True", "reason": reason, "message": message}]


def pod_row(pod: Obj, now: datetime) -> list[Any]:
    spec, status, meta = pod["spec"], pod.get("status") or {}, pod["metadata"]
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    tally = _Tally(status.get("reason") or status.get("phase", ""))
    if conditions.get("PodScheduled", {}).get("reason") == "SchedulingGated":
        tally.reason = "SchedulingGated"
    sidecars = {
        c["name"] for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"
    }
    tally.total = len(spec.get("containers") or ()) + len(sidecars)
    initializing = _init(pod, sidecars, tally)
    if not initializing or conditions.get("Initialized", {}).get("status") == "True":
        _main(status, sidecars, conditions, tally)
    if "deletionTimestamp" in meta:
        if status.get("reason") == "NodeLost":
            tally.reason = "Unknown"
        elif status.get("phase") not in ("Succeeded", "Failed"):
            tally.reason = "Terminating"
    restarts = str(tally.restarts)
    if tally.restarts and tally.last_restart:
        restarts += f" ({since(tally.last_restart, now)} ago)"
    addresses = status.get("podIPs") or [{}]
    return [
        meta["name"], f"{tally.ready}/{tally.total}", tally.reason, restarts,
        since(meta.get("creationTimestamp"), now), addresses[0].get("ip") or _NONE,
        spec.get("nodeName") or _NONE, status.get("nominatedNodeName") or _NONE,
        _gates(spec, conditions),
    ]  # fmt: skip


def _gates(spec: Obj, conditions: dict[str, Obj]) -> str:
    gates = [gate["conditionType"] for gate in spec.get("readinessGates") or ()]
    if not gates:
        return _NONE
    open_gates = sum(conditions.get(gate, {}).get("status") == "True" for gate in gates)
    return f"{open_gates}/{len(gates)}"


def _init(pod: Obj, sidecars: set[str], tally: _Tally) -> bool:
    """Go through the init containers; whether one of them is still at work."""
    total = len(pod["spec"].get("initContainers") or ())
    for number, container in enumerate(pod.get("status", {}).get("initContainerStatuses") or ()):
        tally.restarted(container)
        state = container.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if container["name"] in sidecars and container.get("started"):
            tally.ready += bool(container.get("ready"))
            continue
        if ended is not None:
            tally.reason = "Init:" + _ended(ended)
        elif waiting.get("reason") and waiting["reason"] != "PodInitializing":
            tally.reason = "Init:" + waiting["reason"]
        else:
            tally.reason = f"Init:{number}/{total}"
        return True
    return False


def _ended(terminated: Obj) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _main(status: Obj, sidecars: set[str], conditions: dict[str, Obj], tally: _Tally) -> None:
    """Go through the containers, last first, so that the first has the last word."""
    tally.restarts, tally.last_restart = 0, ""
    for container in status.get("initContainerStatuses") or ():
        if container["name"] in sidecars:
            tally.restarted(container)
    running, failed = False, ""
    for container in reversed(status.get("containerStatuses") or ()):
        tally.restarted(container)
        state = container.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if waiting.get("reason"):
            tally.reason = waiting["reason"]
        elif ended is not None:
            tally.reason = _ended(ended)
            failed = tally.reason if ended.get("exitCode") else failed
        elif container.get("ready") and state.get("running") is not None:
            running = True
            tally.ready += 1
    if tally.reason != "Completed":
        return
    if running and conditions.get("Ready", {}).get("status") == "True":
        tally.reason = "Running"
    elif failed:
        tally.reason = failed
    elif running:
        tally.reason = "NotReady"
