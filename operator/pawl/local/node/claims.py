"""Binds PersistentVolumeClaims: every claim gets a directory, so every claim is Bound at once.

There are no PersistentVolume objects and no storage classes: size and access modes are recorded,
not enforced.
"""

import contextlib
from typing import Any

from pawl.local.node.host import COMPONENT, Host

Obj = dict[str, Any]

RESOURCE = "persistentvolumeclaims"


def bind(claim: Obj, host: Host) -> None:
    """Make the directory of `claim` and say Bound, unless that has been done."""
    metadata = claim["metadata"]
    if (claim.get("status") or {}).get("phase") == "Bound" or metadata.get("deletionTimestamp"):
        return
    path = host.claims / metadata["namespace"] / metadata["name"]
    path.mkdir(parents=True, exist_ok=True)
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    status = {
        "phase": "Bound",
        "accessModes": (claim.get("spec") or {}).get("accessModes") or [],
        "capacity": requests,
    }
    host.registry.update(
        RESOURCE,
        metadata["namespace"],
        {**claim, "status": status},
        manager=COMPONENT,
        subresource="status",
    )


async def follow(host: Host) -> None:
    """Bind claims as they appear, until cancelled."""
    while True:
        with contextlib.closing(host.registry.watch(RESOURCE)) as watch:
            for claim in host.registry.list(RESOURCE):
                bind(claim, host)
            async for event in watch:
                if event.type in ("ADDED", "MODIFIED"):
                    bind(event.object, host)
