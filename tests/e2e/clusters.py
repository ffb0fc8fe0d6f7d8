"""What end-to-end tests do with a cluster, and the embedded one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import psutil
import rights
from kubernetes import config, dynamic
from kubernetes.dynamic.exceptions import NotFoundError

API = "pawl.dev/v1alpha1"


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

    @property
    def host(self) -> str:
        """The address of this machine at which pods reach what a test serves."""
        return "127.0.0.1"

    def prepare(self, namespace: str) -> None:
        """What a new namespace needs."""

    def clean(self, namespace: str) -> None:
        """Removes what `prepare` made outside of the namespace, which is gone."""

    def kill_operator(self) -> None:
        """SIGKILL; something starts it again."""
        raise NotImplementedError

    #: Namespace and name of the Lease of several operators.
    lease = ("kube-system", "pawl-operator")

    def holder(self) -> str:
        """The operator process that holds the lease; "" when nobody does."""
        namespace, name = self.lease
        leases = self.api.resources.get(api_version="coordination.k8s.io/v1", kind="Lease")
        try:
            found = leases.get(namespace=namespace, name=name).to_dict()
        except NotFoundError:
            return ""
        return found["spec"].get("holderIdentity") or ""

    def leader(self) -> psutil.Process:
        """The process that holds the lease; it is on this machine."""
        pod = self.holder().rpartition("_")[0]
        (found,) = [p for p in self.operators() if variable(p, "PAWL_IDENTITY") == pod]
        return found

    def operators(self) -> list[psutil.Process]:
        """Operator processes of this cluster and no other."""
        found = [p for p in psutil.process_iter() if _words(p)[-3:] == ["-m", "pawl", "operator"]]
        return [process for process in found if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
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

    def kubectl(self, *words: str, check: bool = True, text: str | None = None) -> str:
        """Runs the real kubectl, which reads `text`, and gives what it printed."""
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), *words],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(words)}: {done.stderr}")
        return done.stdout + done.stderr


class EmbeddedCluster(Cluster):
    """`pawl local`, as a user starts it."""

    def __init__(self, folder: Path, operators: int = 1, **settings: str) -> None:
        """`settings` are variables of the operators."""
        self.data = folder / "data"
        self._settings = settings
        kubeconfig = folder / "kubeconfig"
        place = ("--kubeconfig", str(kubeconfig), "--data-dir", str(self.data))
        self._local("up", "--detach", "--operators", str(operators), *place)
        super().__init__(kubeconfig)

    def claim(self, namespace: str, name: str) -> Path:
        path = self.data / "volumes" / namespace / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def kill_operator(self) -> None:
        operators = self.operators()
        assert operators, "no operator is running"
        for operator in operators:
            operator.kill()
        _, alive = psutil.wait_procs(operators, timeout=10)
        assert not alive, f"not gone after a kill: {alive}"

    def has_operator(self) -> bool:
        return bool(self.operators())

    def _is_ours(self, process: psutil.Process) -> bool:
        return str(self.data) in variable(process, "PAWL_STORE")

    @property
    def store(self) -> Path:
        return self.data / "store"

    def down(self, requests: str | None) -> None:
        """`requests` is the folder where the operator's requests are kept. None of them may have
        been refused."""
        self._local("down", "--kubeconfig", str(self.kubeconfig))
        asked = self.data / "logs" / "operator-requests.jsonl"
        if requests is not None:
            kept = Path(requests)
            kept.mkdir(parents=True, exist_ok=True)
            shutil.copy(asked, kept / f"{uuid.uuid4().hex}.jsonl")
        refused = rights.refused(asked)
        assert not refused, f"the operator has no right to {refused}"

    def _local(self, *words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "pawl", "local", *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **self._settings},
        )
        assert done.returncode == 0, done.stderr + done.stdout


def _words(process: psutil.Process) -> list[str]:
    """The command of a process, which may be gone by now."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def variable(process: psutil.Process, name: str) -> str:
    """Of its environment; "" when it is not there."""
    try:
        return process.environ().get(name, "")
    except psutil.Error:
        return ""
