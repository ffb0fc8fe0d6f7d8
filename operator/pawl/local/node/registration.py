"""The object of this node: what the machine has, and that it is Ready."""

import platform
from datetime import UTC, datetime
from typing import Any

from pawl.local.node.environment import allocatable
from pawl.local.node.host import COMPONENT, NODE_NAME, Host
from pawl.local.node.states import timestamp

Obj = dict[str, Any]


def create_node(host: Host) -> None:
    """The object of this node; it is Ready as long as the cluster runs."""
    now = timestamp(datetime.now(UTC))
    resources = allocatable()
    conditions = [
        _condition("MemoryPressure", "False", "KubeletHasSufficientMemory", now),
        _condition("DiskPressure", "False", "KubeletHasNoDiskPressure", now),
        _condition("PIDPressure", "False", "KubeletHasSufficientPID", now),
        _condition("Ready", "True", "KubeletReady", now),
    ]
    node: Obj = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": NODE_NAME,
            "labels": {
                "kubernetes.io/hostname": NODE_NAME,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": _architecture(),
                "node-role.kubernetes.io/control-plane": "",
            },
        },
        "spec": {},
    }
    status = {
        "capacity": resources,
        "allocatable": resources,
        "conditions": conditions,
        "addresses": [
            {"type": "InternalIP", "address": host.network.node_ip},
            {"type": "Hostname", "address": NODE_NAME},
        ],
        "nodeInfo": {
            "architecture": _architecture(),
            "bootID": "",
            "containerRuntimeVersion": "pawl://processes",
            "kernelVersion": platform.release(),
            "kubeProxyVersion": "",
            "kubeletVersion": "v1.36.0+pawl",
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": "host processes",
            "systemUUID": "",
        },
    }
    created = host.registry.create("nodes", None, node, manager=COMPONENT)
    host.registry.update(
        "nodes", None, {**created, "status": status}, manager=COMPONENT, subresource="status"
    )


def _condition(kind: str, status: str, reason: str, now: str) -> Obj:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
