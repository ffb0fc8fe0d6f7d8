"""`pawl local` as a user runs it: real processes, real files."""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pawl.local.node import usage

Obj = dict[str, Any]
LIMIT = 60


def pawl(*arguments: str, cwd: Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pawl", "local", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        **options,
    )


def until(condition: Callable[[], Any]) -> None:
    """Other processes tell nobody what they do, so they are looked at again and again."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def call(kubeconfig: Path, path: str, body: Obj | None = None) -> Obj:
    config = json.loads(kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    from base64 import b64decode

    context = ssl.create_default_context(
        cadata=b64decode(cluster["certificate-authority-data"]).decode()
    )
    request = urllib.request.Request(
        cluster["server"] + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {config['users'][0]['user']['token']}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=LIMIT, context=context) as answer:
        found: Obj = json.loads(answer.read())
        return found


def alive(pid: int) -> bool:
    return any(process.pid == pid for process in usage.processes())


def running(kubeconfig: Path) -> Obj:
    data = kubeconfig.with_name(kubeconfig.name + ".data")
    found: Obj = json.loads((data / "cluster.json").read_text())
    return found


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of a detached cluster without operator, at its default place."""
    kubeconfig = tmp_path / ".pawl" / "kubeconfig"
    started = pawl("up", "--detach", "--no-operator", cwd=tmp_path)
    assert started.returncode == 0, started.stderr
    yield kubeconfig
    if kubeconfig.exists():
        pawl("down", cwd=tmp_path)


def start_pod(kubeconfig: Path, tmp_path: Path) -> int:
    """A pod that sleeps; returns the id of its process."""
    script = f"echo $$$$ > {tmp_path}/pid.tmp; mv {tmp_path}/pid.tmp {tmp_path}/pid; sleep 600"
    container = {"name": "c", "image": "busybox", "command": ["sh", "-c", script]}
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [container]}}
    call(kubeconfig, "/api/v1/namespaces/default/pods", pod)
    until((tmp_path / "pid").exists)
    return int((tmp_path / "pid").read_text())


def test_up_serves_and_down_leaves_nothing_but_data(cluster: Path, tmp_path: Path) -> None:
    crds = call(cluster, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
    names = {item["spec"]["names"]["kind"] for item in crds["items"]}
    assert names == {"TrainingJob", "ModelVersion", "Deployment"}
    assert cluster.stat().st_mode & 0o777 == 0o600
    pid, pod = running(cluster)["pid"], start_pod(cluster, tmp_path)
    assert alive(pod)
    down = pawl("down", cwd=tmp_path)
    assert (down.returncode, "Stopped" in down.stdout) == (0, True)
    assert not alive(pid)
    assert not alive(pod)
    assert not cluster.exists()
    left = {entry.name for entry in (tmp_path / ".pawl" / "kubeconfig.data").iterdir()}
    assert left == {"lock", "logs", "volumes"} - ({"volumes"} - left)


def test_a_killed_cluster_leaves_no_process_and_the_next_one_starts_clean(
    cluster: Path, tmp_path: Path
) -> None:
    pid, pod = running(cluster)["pid"], start_pod(cluster, tmp_path)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pod) and not alive(pid))
    status = pawl("status", cwd=tmp_path)
    assert (status.returncode, "not running" in status.stdout) == (3, True)
    again = pawl("up", "--detach", "--no-operator", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert running(cluster)["pid"] != pid
    assert call(cluster, "/api/v1/namespaces/default/pods")["items"] == []


def test_two_clusters_live_side_by_side(cluster: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    started = pawl(
        "up", "--detach", "--no-operator", "--kubeconfig", str(other), "--data-dir",
        str(tmp_path / "data"), cwd=tmp_path,
    )  # fmt: skip
    assert started.returncode == 0, started.stderr
    script = "sleep 600"
    container = {"name": "c", "image": "busybox", "command": ["sh", "-c", script]}
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [container]}}
    call(other, "/api/v1/namespaces/default/pods", pod)
    assert call(cluster, "/api/v1/namespaces/default/pods")["items"] == []
    assert pawl("down", "--kubeconfig", "other", cwd=tmp_path).returncode == 0
    assert call(cluster, "/version")["major"] == "1"


def test_status_and_logs(cluster: Path, tmp_path: Path) -> None:
    status = pawl("status", cwd=tmp_path)
    assert status.returncode == 0
    assert running(cluster)["url"] in status.stdout
    logs = pawl("logs", "cluster", cwd=tmp_path)
    assert logs.returncode == 0
    missing = pawl("logs", "operator", cwd=tmp_path)
    assert (missing.returncode, "no log of the operator" in missing.stderr) == (2, True)


def test_a_second_cluster_with_the_same_data_is_refused(cluster: Path, tmp_path: Path) -> None:
    second = pawl("up", "--detach", "--no-operator", cwd=tmp_path)
    assert (second.returncode, "already running" in second.stderr) == (2, True)
    assert call(cluster, "/version")["major"] == "1"


def test_a_foreign_kubeconfig_is_never_touched(tmp_path: Path) -> None:
    foreign = tmp_path / "config"
    foreign.write_text("apiVersion: v1\nkind: Config\n")
    for command in (("up", "--detach"), ("down",), ("status",)):
        refused = pawl(*command, "--kubeconfig", "config", cwd=tmp_path)
        assert (refused.returncode, "not written by pawl local" in refused.stderr) == (2, True)
    assert foreign.read_text() == "apiVersion: v1\nkind: Config\n"


def test_nothing_is_there(tmp_path: Path) -> None:
    down = pawl("down", cwd=tmp_path)
    assert (down.returncode, "pawl local up" in down.stderr) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_a_signal_ends_everything(tmp_path: Path, number: int) -> None:
    kubeconfig = tmp_path / "kc"
    process = subprocess.Popen(
        [sys.executable, "-m", "pawl", "local", "up", "--no-operator", "--kubeconfig", "kc"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )
    try:
        assert process.stdout is not None
        assert "The cluster is up" in process.stdout.readline()
        pod = start_pod(kubeconfig, tmp_path)
        process.send_signal(number)
        assert process.wait(LIMIT) == 0
        assert not alive(pod)
        assert not kubeconfig.exists()
    finally:
        process.kill()
        process.communicate()
