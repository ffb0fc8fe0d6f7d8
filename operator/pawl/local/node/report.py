"""What one pod has to do with the registry: its status, its events, its removal."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pawl.local.api.errors import ApiError
from pawl.local.node import status
from pawl.local.node.host import COMPONENT, Host
from pawl.local.node.states import Record
from pawl.local.node.status import Facts, Verdict

Obj = dict[str, Any]


class PodReport:
    """The worker writes the public fields and calls `changed`; the status is written once per
    turn of the event loop, and only when it differs."""

    def __init__(self, pod: Obj, address: str, records: Sequence[Record], host: Host) -> None:
        self.pod = pod
        self.sandbox = False  # volumes are there and processes may start
        self.finished = False  # nothing runs or will run again
        self.verdict: Verdict | None = None
        self._address = address
        self._records = records
        self._host = host
        self._begun = datetime.now(UTC)
        self._dirty = False

    @property
    def namespace(self) -> str:
        return str(self.pod["metadata"]["namespace"])

    def find(self, resource: str, name: str) -> Obj | None:
        """An object of the pod's namespace."""
        try:
            return self._host.registry.get(resource, self.namespace, name)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def with_addresses(self) -> Obj:
        """The pod with the addresses that the downward API shows."""
        host = self._host.network.node_ip
        addresses = {
            "hostIP": host,
            "hostIPs": [{"ip": host}],
            "podIP": self._address,
            "podIPs": [{"ip": self._address}],
        }
        return {**self.pod, "status": {**(self.pod.get("status") or {}), **addresses}}

    def changed(self) -> None:
        if not self._dirty:
            self._dirty = True
            asyncio.get_running_loop().call_soon(self.write)

    def write(self) -> None:
        self._dirty = False
        metadata = self.pod["metadata"]
        live = self.find("pods", metadata["name"])
        if live is None or live["metadata"]["uid"] != metadata["uid"]:
            return
        facts = Facts(
            records=self._records,
            host_ip=self._host.network.node_ip,
            pod_ip=self._address,
            start=self._begun,
            sandbox=self.sandbox,
            finished=self.finished,
            verdict=self.verdict,
        )
        new = status.build(live, facts, datetime.now(UTC))
        if new != live.get("status"):
            self._host.registry.update(
                "pods",
                self.namespace,
                {**live, "status": new},
                manager=COMPONENT,
                subresource="status",
            )

    def remove(self) -> None:
        """Finish the deletion that was asked for."""
        with contextlib.suppress(ApiError):  # gone already, or another pod of that name
            self._host.registry.delete(
                "pods",
                self.namespace,
                self.pod["metadata"]["name"],
                manager=COMPONENT,
                grace_period=0,
                uid=self.pod["metadata"]["uid"],
            )

    def event(self, kind: str, reason: str, message: str, record: Record | None = None) -> None:
        """An event of the pod, or of one of its containers."""
        regarding = self.pod
        if record is not None:
            field = "containers" if record.role == "main" else "initContainers"
            regarding = {**self.pod, "fieldPath": f"spec.{field}{{{record.name}}}"}
        self._host.registry.event(
            regarding, type=kind, reason=reason, message=message, component=COMPONENT
        )
