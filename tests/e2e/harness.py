"""What the end-to-end tests need of a cluster, embedded or real."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from kubernetes import config, dynamic
from kubernetes.dynamic.exceptions import NotFoundError

Object = Mapping[str, Any]
API = "pawl.dev/v1alpha1"
LIMIT = 120.0


class Cluster:
    """A cluster with Pawl on it."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.api = dynamic.DynamicClient(config.new_client_from_config(str(kubeconfig)))

    def claim(self, namespace: str, name: str) -> Path:
        """The folder on this machine that a PersistentVolumeClaim is."""
        raise NotImplementedError

    def store_file(self, path: str, content: bytes) -> str:
        """Writes a file into the artifact store, as somebody who imports a model would."""
        target = self.store / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return f"file://{self.store_seen_by_pods}/{path}"

    @property
    def store(self) -> Path:
        """The folder of the artifact store on this machine."""
        raise NotImplementedError

    @property
    def store_seen_by_pods(self) -> Path:
        """The same folder, as pods see it."""
        return self.store

    def prepare(self, namespace: str) -> None:
        """What a new namespace needs."""

    def kill_operator(self) -> None:
        """SIGKILL; something starts it again."""
        raise NotImplementedError

    def has_operator(self) -> bool:
        """Whether one runs."""
        raise NotImplementedError

    def resource(self, kind: str) -> Any:
        """By kind; ours where two have the same."""
        ours = ("TrainingJob", "ModelVersion", "Deployment")
        if kind in ours:
            return self.api.resources.get(api_version=API, kind=kind)
        if kind == "Workload":
            return self.api.resources.get(api_version="apps/v1", kind="Deployment")
        groups = {"Job": "batch/v1", "HorizontalPodAutoscaler": "autoscaling/v2"}
        return self.api.resources.get(api_version=groups.get(kind, "v1"), kind=kind)

    def kubectl(self, *words: str, check: bool = True) -> str:
        """Runs the real kubectl and gives what it printed."""
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), *words],
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(words)}: {done.stderr}")
        return done.stdout + done.stderr


class EmbeddedCluster(Cluster):
    """`pawl local`, as a user starts it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        kubeconfig = folder / "kubeconfig"
        self._local("up", "--detach", "--kubeconfig", str(kubeconfig), "--data-dir", str(self.data))
        super().__init__(kubeconfig)

    def claim(self, namespace: str, name: str) -> Path:
        path = self.data / "volumes" / namespace / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def kill_operator(self) -> None:
        pids = self._operators()
        assert pids, "no operator is running"
        for pid in pids:
            os.kill(pid, 9)

    def has_operator(self) -> bool:
        return bool(self._operators())

    def _operators(self) -> list[int]:
        """Operator processes of this cluster and no other."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.cmdline()[-3:] != ["-m", "pawl", "operator"]:
                    continue
                mine = str(self.data) in process.environ().get("PAWL_STORE", "")
            except psutil.Error:
                continue
            found += [process.pid] if mine else []
        return found

    @property
    def store(self) -> Path:
        return self.data / "store"

    def down(self) -> None:
        self._local("down", "--kubeconfig", str(self.kubeconfig))

    def _local(self, *words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "pawl", "local", *words],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout


class RealCluster(Cluster):
    """Any cluster on which Pawl is installed (see docs/testing.md): its node is this machine, and
    `volumes` is a folder that pods may mount by hostPath."""

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

    def prepare(self, namespace: str) -> None:
        self._volume(namespace, "pawl-store", self.store)
        self._volume(namespace, "data", self.claim(namespace, "data"))

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
        self.kubectl(
            "-n", "pawl-system", "delete", "pod", "-l", "app.kubernetes.io/name=pawl-operator",
            "--grace-period=0", "--force",
        )  # fmt: skip

    def has_operator(self) -> bool:
        ready = "jsonpath={.status.readyReplicas}"
        return (
            self.kubectl("-n", "pawl-system", "get", "deploy", "-o", ready, "pawl-operator") == "1"
        )


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
        """Deletes the namespace; nothing may hold it back."""
        self.cluster.resource("Namespace").delete(name=self.name)
        eventually(lambda: not self._exists(), "the namespace to be gone", LIMIT)

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

    def create(self, kind: str, name: str, spec: Any, api_version: str = API) -> None:
        """Creates an object."""
        body = {
            "apiVersion": api_version,
            "kind": kind,
            "metadata": {"name": name, "namespace": self.name},
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

    def url(self, deployment: str) -> str:
        """Where this machine reaches the router."""
        service = self.get("Service", deployment)
        assert service is not None
        return f"http://{service['spec']['clusterIP']}:8080"


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


class Load:
    """Sends requests until it is stopped; remembers what failed and who answered."""

    def __init__(self, url: str, model: str, body: Any, threads: int = 2) -> None:
        self._url = f"{url}/v2/models/{model}/infer"
        self._body = body
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        self.ok = 0
        self.failed: list[str] = []
        self.versions: set[str] = set()

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=20, trust_env=False) as session:
            while not self._stop.is_set():
                try:
                    answer = session.post(self._url, json=self._body)
                except httpx.HTTPError as error:
                    self.failed.append(repr(error))
                    continue
                if answer.status_code != 200:
                    self.failed.append(f"{answer.status_code} {answer.text[:200]}")
                else:
                    self.ok += 1
                    self.versions.add(answer.json()["model_version"])
                time.sleep(0.002)


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
