"""A real Kubernetes control plane without nodes: etcd, kube-apiserver, kube-controller-manager.

The binaries are in the directory that PAWL_KUBE_BIN names (etcd may be on PATH). The three listen
on loopback, keep nothing, and end with the context.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

#: The controller manager's own default of 20 requests a second would make it the one that is slow.
REQUESTS_PER_SECOND = 1000
_NEEDED = ("kube-apiserver", "kube-controller-manager", "etcd")
_START_SECONDS = 120.0
_SYNCS = re.compile(
    r'^job_controller_job_sync_duration_seconds_bucket\{.*le="([^"]+)"\} (\S+)$', re.M
)


def binaries() -> dict[str, str] | None:
    """Where they are; None when one is missing."""
    folder = os.environ.get("PAWL_KUBE_BIN")
    if not folder:
        return None
    found = {name: shutil.which(name, path=folder) for name in _NEEDED}
    found["etcd"] = found["etcd"] or shutil.which("etcd")
    return {name: path for name, path in found.items() if path} if all(found.values()) else None


@dataclass(frozen=True)
class ControlPlane:
    """A running one: its kubeconfig, and where the controller manager tells its metrics."""

    kubeconfig: Path
    metrics: str

    def syncs(self) -> dict[float, int]:
        """How many syncs of Jobs the controller manager has ended, by how many seconds they took at
        most."""
        answer = httpx.get(self.metrics, verify=False)
        found: dict[float, int] = {}
        for bound, count in _SYNCS.findall(answer.raise_for_status().text):
            found[float(bound)] = found.get(float(bound), 0) + int(float(count))
        return found


@contextmanager
def control_plane(folder: Path, found: dict[str, str]) -> Iterator[ControlPlane]:
    """A running one."""
    etcd, peers, port, metrics = (_free_port() for _ in range(4))
    token = secrets.token_urlsafe(32)
    (folder / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    _key(folder / "sa.key")
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(_kubeconfig(port, folder / "certs/apiserver.crt", token)))
    with ExitStack() as stack:
        run = _Runner(folder, stack)
        run(
            found["etcd"],
            f"--data-dir={folder}/etcd",
            f"--listen-client-urls=http://127.0.0.1:{etcd}",
            f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peers}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peers}",
            f"--initial-cluster=default=http://127.0.0.1:{peers}",
            "--unsafe-no-fsync",
        )
        run(
            found["kube-apiserver"],
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--cert-dir={folder}/certs",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={folder}/sa.key",
            f"--service-account-signing-key-file={folder}/sa.key",
            f"--token-auth-file={folder}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--endpoint-reconciler-type=none",
        )
        _ready(f"https://127.0.0.1:{port}/readyz", token)
        run(
            found["kube-controller-manager"],
            f"--kubeconfig={kubeconfig}",
            f"--service-account-private-key-file={folder}/sa.key",
            f"--root-ca-file={folder}/certs/apiserver.crt",
            f"--kube-api-qps={REQUESTS_PER_SECOND}",
            f"--kube-api-burst={REQUESTS_PER_SECOND}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={metrics}",
            f"--cert-dir={folder}/controller-certs",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--authorization-always-allow-paths=/metrics",
        )
        told = f"https://127.0.0.1:{metrics}/metrics"
        _ready(told)
        yield ControlPlane(kubeconfig, told)


class _Runner:
    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack

    def __call__(self, program: str, *arguments: str) -> None:
        log = self._stack.enter_context((self._folder / f"{Path(program).name}.log").open("wb"))
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=log)
        self._stack.callback(_end, process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _key(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    path.chmod(0o600)


def _kubeconfig(port: int, authority: Path, token: str) -> dict[str, object]:
    server = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(authority)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "bench", "cluster": server}],
        "users": [{"name": "bench", "user": {"token": token}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "current-context": "bench",
    }


def _ready(url: str, token: str = "") -> None:
    """Its certificate is its own, made at the start: this one request goes without."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    deadline = time.monotonic() + _START_SECONDS
    with httpx.Client(verify=False, headers=headers, trust_env=False) as client:
        while True:
            try:
                if client.get(url).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            if time.monotonic() > deadline:
                raise SystemExit(f"{url} does not answer after {_START_SECONDS:g} s")
            time.sleep(0.2)
