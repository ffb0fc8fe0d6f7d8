"""What the tasks of all pods share: one record, made once per cluster."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pawl.local.node.monitor import Monitor
from pawl.local.node.network import Network
from pawl.local.node.process import Spawner

Obj = dict[str, Any]

COMPONENT = "kubelet"
NODE_NAME = "local"


class Registry(Protocol):
    """The part of api.registry.Registry that the node uses (synchronous, in memory)."""

    def get(self, resource: str, namespace: str | None, name: str) -> Obj: ...
    def list(
        self, resource: str, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> list[Obj]: ...
    def create(self, resource: str, namespace: str | None, obj: Obj, *, manager: str) -> Obj: ...
    def update(
        self,
        resource: str,
        namespace: str | None,
        obj: Obj,
        *,
        manager: str,
        subresource: str = "",
    ) -> Obj: ...
    def delete(
        self,
        resource: str,
        namespace: str | None,
        name: str,
        *,
        manager: str,
        propagation: str | None = None,
        grace_period: int | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> Obj: ...
    def watch(
        self,
        resource: str,
        *,
        namespace: str | None = None,
        since: str | None = None,
        labels: str = "",
        fields: str = "",
    ) -> Any: ...
    def event(
        self, regarding: Obj, *, type: str, reason: str, message: str, component: str
    ) -> None: ...


@dataclass(frozen=True)
class Access:
    """How a pod that may use the API reaches it."""

    address: str
    port: int
    token: bytes
    kubeconfig: Path


@dataclass(frozen=True)
class Host:
    """`dns` is (address, port). `access()` is asked late: the server starts after the node."""

    registry: Registry
    network: Network
    spawner: Spawner
    monitor: Monitor
    data: Path
    dns: tuple[str, int]
    access: Callable[[], Access]

    @property
    def pods(self) -> Path:
        return self.data / "pods"

    @property
    def claims(self) -> Path:
        return self.data / "volumes"
