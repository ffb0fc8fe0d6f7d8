"""A real cluster with Pawl on it (see docs/testing.md)."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
from clusters import Cluster, variable

_SYSTEM = ("-n", "pawl-system")
_DEPLOYMENT = "deploy/pawl-operator"
_LABEL = "app.kubernetes.io/name=pawl-operator"
_OPERATORS = (*_SYSTEM, "get", "pods", "-l", _LABEL)


class RealCluster(Cluster):
    """Its node is this machine, and `volumes` is a folder that pods may mount by hostPath."""

    lease = ("pawl-system", "pawl-operator")

    def __init__(self, kubeconfig: Path, volumes: Path) -> None:
        super().__init__(kubeconfig)
        self.volumes = volumes

    def claim(self, namespace: str, name: str) -> Path:
        path = self.volumes / namespace / name
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o777)
        return path

    @property
    def store(self) -> Path:
        path = self.volumes / "store"
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o777)
        return path

    @property
    def store_seen_by_pods(self) -> Path:
        return Path("/pawl/store")

    @property
    def host(self) -> str:
        """The one that is nearest to the pods."""
        address = "jsonpath={.items[0].status.podIP}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((self.kubectl(*_OPERATORS, "-o", address), 9))  # sends nothing
            return str(probe.getsockname()[0])

    def prepare(self, namespace: str) -> None:
        self._volume(namespace, "pawl-store", self.store)
        self._volume(namespace, "data", self.claim(namespace, "data"))

    def clean(self, namespace: str) -> None:
        for name in ("pawl-store", "data"):
            self.resource("PersistentVolume").delete(name=f"{namespace}-{name}")
        shutil.rmtree(self.volumes / namespace, ignore_errors=True)

    def _volume(self, namespace: str, name: str, path: Path) -> None:
        spec = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
        volume = f"{namespace}-{name}"
        self.resource("PersistentVolume").create(
            body={
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": volume},
                "spec": {
                    **spec,
                    "capacity": {"storage": "1Gi"},
                    "hostPath": {"path": str(path)},
                    "claimRef": {"namespace": namespace, "name": name},
                },
            }
        )
        self.resource("PersistentVolumeClaim").create(
            namespace=namespace,
            body={
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": name},
                "spec": {
                    **spec,
                    "volumeName": volume,
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            },
        )

    def kill_operator(self) -> None:
        self.kubectl(*_SYSTEM, "delete", "pod", "-l", _LABEL, "--grace-period=0", "--force")

    def has_operator(self) -> bool:
        ready = "jsonpath={.status.readyReplicas}"
        return bool(self.kubectl(*_SYSTEM, "get", "deploy", "-o", ready, "pawl-operator"))

    @contextmanager
    def told(self, **settings: str) -> Iterator[None]:
        """Its operators are told variables, until the block is left."""
        words = [f"{name}={value}" for name, value in settings.items()]
        self.kubectl(*_SYSTEM, "set", "env", _DEPLOYMENT, *words)
        try:
            self._renewed(settings)
            yield
        finally:
            self.kubectl(*_SYSTEM, "rollout", "undo", _DEPLOYMENT)
            self._renewed(dict.fromkeys(settings, ""))

    def _renewed(self, settings: Mapping[str, str]) -> None:
        """Waits for operators that are told so, and for the end of all others."""
        self.kubectl(*_SYSTEM, "rollout", "status", _DEPLOYMENT, "--timeout=120s")
        deadline = time.monotonic() + 60
        while any(
            variable(process, name) != value
            for process in self.operators()
            for name, value in settings.items()
        ):
            assert time.monotonic() < deadline, "operators of before do not end"
            time.sleep(0.1)

    def _is_ours(self, process: psutil.Process) -> bool:
        return variable(process, "POD_NAMESPACE") == "pawl-system"
