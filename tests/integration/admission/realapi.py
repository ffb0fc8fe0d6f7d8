"""API servers with Pawl's CRDs, roles and policy: a real kube-apiserver and etcd on loopback, or
the embedded cluster's."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

BASE = Path(__file__).parents[3] / "manifests" / "base"


@dataclass
class Api:
    """kubectl as the administrator, or as somebody else."""

    kubeconfig: Path

    def kubectl(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Standard output and error as text; whether it succeeded is for the caller."""
        return subprocess.run(
            ["kubectl", f"--kubeconfig={self.kubeconfig}", *words],
            input=text, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def done(self, *words: str, text: str | None = None) -> str:
        """As `kubectl`, and it has to succeed."""
        ended = self.kubectl(*words, text=text)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


def start(stack: ExitStack, server: str, folder: Path) -> Api:
    client, peer, port = (_free() for _ in range(3))
    key = folder / "sa.key"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    (folder / "tokens.csv").write_text("secret,admin,admin,system:masters\n")
    etcd, there = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    _run(
        stack, folder / "etcd.log", "etcd", f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}",
        f"--listen-peer-urls={there}", f"--initial-advertise-peer-urls={there}",
        f"--initial-cluster=default={there}", "--unsafe-no-fsync",
    )  # fmt: skip
    _run(
        stack, folder / "apiserver.log", server, f"--etcd-servers={etcd}",
        "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={port}",
        f"--cert-dir={folder / 'certs'}", f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC", f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}", "--service-account-issuer=https://test",
        "--service-cluster-ip-range=10.97.0.0/16",
    )  # fmt: skip
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(json.dumps(_config(port)))
    made = Api(kubeconfig)
    deadline = time.monotonic() + 120
    while made.kubectl("get", "--raw=/readyz").returncode:
        if time.monotonic() > deadline:
            raise AssertionError((folder / "apiserver.log").read_text()[-2000:])
        time.sleep(0.2)
    _install(made)
    return made


def start_embedded(stack: ExitStack, folder: Path) -> Api:
    made = Api(folder / "kubeconfig")
    local = [sys.executable, "-m", "pawl", "local"]
    named = ["--kubeconfig", str(made.kubeconfig)]
    subprocess.run([*local, "up", "--detach", "--no-operator", *named], check=True)
    stack.callback(subprocess.run, [*local, "down", *named], check=True)
    _install(made)
    return made


def _install(made: Api) -> None:
    # the embedded cluster has the kinds, in the name of somebody else
    made.done("apply", "--server-side", "--force-conflicts", "-k", str(BASE))
    made.done("wait", "--for=condition=Established", "crd", "--all")


def _run(stack: ExitStack, log: Path, *words: str) -> None:
    with log.open("w") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output)
    stack.callback(process.wait, 30)
    stack.callback(process.terminate)


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _config(port: int) -> dict[str, object]:
    cluster = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": "secret"}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
