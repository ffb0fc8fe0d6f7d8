"""What the end-to-end tests need of a namespace, and how they wait for what happens there."""

from __future__ import annotations

import json
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
from clusters import API, Cluster, EmbeddedCluster
from kubernetes.dynamic.exceptions import NotFoundError

Object = Mapping[str, Any]
LIMIT = 120.0


@dataclass
class Space:
    """One namespace of a cluster; a test has one of its own."""

    cluster: Cluster
    name: str = field(default_factory=lambda: f"t-{uuid.uuid4().hex[:8]}")

    def open(self) -> None:
        """Creates the namespace and the claim `data`."""
        self.cluster.resource("Namespace").create(
            body={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}}
        )
        self.cluster.prepare(self.name)
        if isinstance(self.cluster, EmbeddedCluster):
            self.create(
                "PersistentVolumeClaim",
                "data",
                {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
                api_version="v1",
            )

    def close(self) -> None:
        """Deletes the namespace; nothing may hold it back. Its pods need not drain: nobody asks
        them any more."""
        self.cluster.resource("Namespace").delete(name=self.name)
        now = ("--all", "--grace-period=0", "--force", "--wait=false")
        self.cluster.kubectl("delete", "pods", "-n", self.name, *now)
        eventually(lambda: not self._exists(), "the namespace to be gone", LIMIT)
        self.cluster.clean(self.name)

    def _exists(self) -> bool:
        try:
            self.cluster.resource("Namespace").get(name=self.name)
        except NotFoundError:
            return False
        return True

    def put(self, name: str, columns: Mapping[str, Any]) -> str:
        """Writes a parquet file into the claim and gives its URI."""
        path = self.cluster.claim(self.name, "data") / name
        pq.write_table(pa.table(dict(columns)), path)
        path.chmod(0o644)
        return f"pvc://data/{name}"

    def create(
        self,
        kind: str,
        name: str,
        spec: Any,
        api_version: str = API,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Creates an object."""
        body = {
            "apiVersion": api_version,
            "kind": kind,
            "metadata": {"name": name, "namespace": self.name, "labels": dict(labels or {})},
            "spec": spec,
        }
        self.cluster.resource(kind).create(body=body, namespace=self.name)

    def patch(self, kind: str, name: str, spec: Any) -> None:
        """A merge patch of the spec."""
        self.cluster.resource(kind).patch(
            name=name,
            namespace=self.name,
            body={"spec": spec},
            content_type="application/merge-patch+json",
        )

    def wipe_status(self, kind: str, name: str) -> None:
        """As somebody would who replaces the status by hand."""
        resource = self.cluster.resource(kind)
        item = resource.get(name=name, namespace=self.name).to_dict()
        operations = [{"op": "replace", "path": "/status", "value": {}}]
        assert item["status"]
        path = f"{resource.path(name=name, namespace=self.name)}/status"
        self.cluster.api.request(
            "patch", path, body=operations, content_type="application/json-patch+json"
        )

    def delete(self, kind: str, name: str) -> None:
        """Deletes an object in the background."""
        self.cluster.resource(kind).delete(name=name, namespace=self.name)

    def evict(self, pod: str) -> None:
        """As a drain of its node would."""
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": self.name},
        }
        path = f"/api/v1/namespaces/{self.name}/pods/{pod}/eviction"
        self.cluster.kubectl("create", "--raw", path, "-f", "-", text=json.dumps(eviction))

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """An object as JSON, or None."""
        try:
            return self.cluster.resource(kind).get(name=name, namespace=self.name).to_dict()  # type: ignore[no-any-return]
        except NotFoundError:
            return None

    def list(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """Objects as JSON."""
        found = self.cluster.resource(kind).get(namespace=self.name, label_selector=selector)
        return found.to_dict()["items"]  # type: ignore[no-any-return]

    def status(self, kind: str, name: str) -> dict[str, Any]:
        """The status of an object."""
        return (self.get(kind, name) or {}).get("status") or {}

    def finished(self, job: str) -> dict[str, Any]:
        """The status of a TrainingJob once its run has ended."""
        return self.until("TrainingJob", job, lambda s: s.get("phase") in ("Succeeded", "Failed"))

    def trained(self, job: str) -> str:
        """The ModelVersion of a TrainingJob that has to succeed."""
        status = self.finished(job)
        assert status["phase"] == "Succeeded", status
        return str(status["modelVersion"])

    def serving(self, deployment: str, version: str) -> dict[str, Any]:
        """The status of a Deployment once it serves that version alone."""
        return self.until(
            "Deployment",
            deployment,
            lambda s: (
                s.get("phase") == "Serving" and (s.get("stable") or {}).get("name") == version
            ),
        )

    def until(
        self, kind: str, name: str, holds: Callable[[dict[str, Any]], bool], limit: float = LIMIT
    ) -> dict[str, Any]:
        """The status as soon as it holds."""
        last: dict[str, Any] = {}

        def look() -> bool:
            nonlocal last
            last = self.status(kind, name)
            return holds(last)

        eventually(look, lambda: f"{kind} {name}: {last}", limit)
        return last

    def events(self, name: str) -> list[str]:
        """Reasons and messages of the events of an object."""
        return [
            f"{event['reason']}: {event.get('message', '')}"
            for event in self.list("Event")
            if event["involvedObject"]["name"] == name
        ]

    def told(self, name: str, beginning: str) -> str:
        """An event of an object that begins so (reason and message). Events are written after the
        status: who has seen that may have to wait for them."""
        found: list[str] = []

        def look() -> bool:
            found[:] = [event for event in self.events(name) if event.startswith(beginning)]
            return bool(found)

        eventually(look, lambda: f"{beginning} of {name}: {self.events(name)}")
        return found[0]

    def bundle(self, version: str) -> Path:
        """The folder of a version's bundle on this machine."""
        artifact = (self.get("ModelVersion", version) or {})["spec"]["artifact"]
        return self.cluster.store / "bundles" / artifact["uri"].split("/bundles/")[1]

    def url(self, deployment: str) -> str:
        """Where this machine reaches the router, once it does: a node's proxy learns of endpoints
        a little later than the API server."""
        service = self.get("Service", deployment)
        assert service is not None
        address = str(service["spec"]["clusterIP"])
        eventually(lambda: _listens(address, 8080), f"a connection to {deployment}", 10)
        return f"http://{address}:8080"


def _listens(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((address, port)) == 0


def eventually(
    holds: Callable[[], bool], what: str | Callable[[], str], limit: float = LIMIT
) -> None:
    """Waits until something holds; fails with `what` after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not holds():
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            raise AssertionError(f"waited {limit:.0f} s for {text}")
        time.sleep(0.1)


def condition(status: Object, type_: str) -> dict[str, Any]:
    """A condition, or an empty one."""
    conditions = status.get("conditions") or []
    return next((c for c in conditions if c["type"] == type_), {"status": "absent"})


def infer(url: str, model: str, body: Any, path: str = "") -> httpx.Response:
    """One inference request."""
    with httpx.Client(timeout=20, trust_env=False) as session:
        return session.post(f"{url}/v2/models/{model}{path}/infer", json=body)


def columns_body(row: Mapping[str, Any]) -> dict[str, Any]:
    """A V2 request of one row, one input a column."""
    return {
        "inputs": [
            {
                "name": name,
                "datatype": "BYTES" if isinstance(value, str) else "FP64",
                "shape": [1],
                "data": [value],
            }
            for name, value in row.items()
        ]
    }


def real_kubectl() -> bool:
    """Whether kubectl is installed."""
    return shutil.which("kubectl") is not None
