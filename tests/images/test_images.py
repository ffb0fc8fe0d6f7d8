"""Each image is built, run as a pod would run it, and answers."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from image import Container, Image

from pawl import __version__
from pawl.artifacts.runs import RunConfig, RunResult

NAMES = ("operator", "router", "server", "server-sklearn", "trainer")
#: MB, at most: what is measured (images/README.md), and a sixth.
LARGEST = {"operator": 500, "router": 330, "server": 460, "server-sklearn": 700, "trainer": 920}
TOOLS = ("gcc", "cc", "c++", "clang", "make", "ld", "pip", "pip3", "apk", "git")
UID, LIMIT = 65532, 60.0

pytestmark = pytest.mark.timeout(1800)  # most of it is the download of packages
Build = Callable[[str], Image]


@pytest.mark.parametrize("name", NAMES)
def test_nobody_runs_in_it_and_can_become_somebody_else(built: Build, name: str) -> None:
    image = built(name)
    assert image.config["User"] == f"{UID}:{UID}"
    with image.container() as container, container.root() as root:
        privileged = [
            str(path.relative_to(root))
            for path in files(root)
            if path.lstat().st_mode & (stat.S_ISUID | stat.S_ISGID)
        ]
        found = [
            tool
            for tool in TOOLS
            for folder in ("bin", "usr/bin", "usr/local/bin", "opt/pawl/bin")
            if os.path.lexists(root / folder / tool)
        ]
        assert privileged == []
        assert found == []
        assert container.run("id", "-u").stdout.strip() == str(UID)
        assert container.run("touch", "/usr/x").returncode != 0


@pytest.mark.parametrize("name", NAMES)
def test_it_is_labelled_and_not_larger_than_told(built: Build, name: str) -> None:
    image = built(name)
    labels = image.config["Labels"]
    assert labels["org.opencontainers.image.title"] == f"pawl-{name}"
    assert labels["org.opencontainers.image.version"] == "1"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    with image.container() as container, container.root() as root:
        megabytes = sum(path.lstat().st_size for path in files(root)) / 1e6
        print(f"INFO {name}-mb {megabytes:.0f}")
        assert megabytes <= LARGEST[name]


def files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        for path in (Path(folder, name) for name in names):
            if stat.S_ISREG(path.lstat().st_mode):
                yield path


@pytest.mark.parametrize("name", ["operator", "server", "server-sklearn", "trainer"])
def test_pip_is_nowhere_in_python(built: Build, name: str) -> None:
    with built(name).container() as container:
        for module in ("pip", "ensurepip"):
            done = container.run("python", "-m", module, "--version")
            assert f"No module named {module}" in done.stderr


def test_the_operator_tells_its_version_and_what_it_lacks(built: Build) -> None:
    with built("operator").container() as container:
        assert container.run("python", "-m", "pawl", "version").stdout.strip() == __version__
        assert container.enter("--help").returncode == 0
        without_store = container.enter()
        assert without_store.returncode != 0
        assert "PAWL_STORE must be" in without_store.stderr + without_store.stdout
        alone = container.enter(env={"PAWL_STORE": "file:///tmp", "KUBECONFIG": "/tmp/none"})
        told = alone.stderr + alone.stdout
        assert alone.returncode != 0
        assert "the kubeconfig /tmp/none cannot be used" in told
        assert "Traceback" not in told


def test_the_router_takes_a_configuration_and_refuses_a_wrong_one(
    built: Build, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps({"static_resources": {"clusters": []}}))
    bad.write_text(json.dumps({"static_resources": {"odd": []}}))
    opened(tmp_path)
    with built("router").container({tmp_path: "/config"}) as container:
        assert "version" in container.enter("--version").stdout
        assert container.enter("--mode", "validate", "-c", "/config/good.json").returncode == 0
        assert container.enter("--mode", "validate", "-c", "/config/bad.json").returncode != 0


@pytest.mark.parametrize("name", ["server", "server-sklearn"])
def test_what_the_trainer_has_trained_is_served(built: Build, tmp_path: Path, name: str) -> None:
    work = tmp_path / "work"
    work.mkdir()
    opened(tmp_path)
    result = trained(built("trainer"), work)
    assert result.artifact is not None
    with built(name).container({work: "/work"}) as container:
        port = free_port()
        env = {
            "PAWL_MODEL": "m",
            "PAWL_MODEL_VERSION": "1",
            "PAWL_ARTIFACT_URI": result.artifact.uri,
            "PAWL_ARTIFACT_DIGEST": result.artifact.digest,
            "PORT": str(port),
        }
        with serving(container, env, port) as client:
            rows = {"name": "a", "datatype": "FP64", "shape": [2, 1], "data": [0.0, 1.0]}
            answer = client.post("/v2/models/m/infer", json={"inputs": [rows]})
            assert answer.status_code == 200, answer.text
            labels = next(o for o in answer.json()["outputs"] if o["name"] == "label")
            assert labels["data"] == [0, 1]


def trained(image: Image, work: Path) -> RunResult:
    """All stages of a run, one after the other, as the pod's containers do them."""
    values = np.arange(400) / 400
    pq.write_table(pa.table({"a": values, "y": (values > 0.5).astype(int)}), work / "rows.parquet")
    spec = {
        "model": "m",
        "data": {"uri": "file:///work/rows.parquet", "task": "binary", "target": "y"},
        "trainer": {"sklearn": {"estimator": "sklearn.tree.DecisionTreeClassifier"}},
    }
    config = RunConfig(
        name="job", namespace="team", uid="u", run=1, model="m", spec=spec,
        recipe_digest="sha256:" + "0" * 64, store="file:///work/store", image="pawl/trainer:1",
        threads=1, started_at="2026-01-01T00:00:00Z",
    )  # fmt: skip
    (work / "run.json").write_text(config.model_dump_json(by_alias=True))
    opened(work)
    env = {
        "PAWL_RUN_CONFIG": "/work/run.json",
        "PAWL_WORK_DIR": "/work/pod",
        "PAWL_DATA_DIR": "/work/pod/data",
        "PAWL_PARAMETERS": "/work/pod/parameters.json",
        "PAWL_OUTPUT_DIR": "/work/pod/output",
        "PAWL_SEED": "0",
        "PAWL_TERMINATION_LOG": "/work/termination",
    }
    with image.container({work: "/work"}) as container:
        for stage in ("prepare", "train", "publish"):
            done = container.enter(stage, env=env)
            assert done.returncode == 0, done.stdout + done.stderr
    return RunResult.model_validate_json((work / "store/runs/u-1/result.json").read_bytes())


@contextmanager
def serving(container: Container, env: Mapping[str, str], port: int) -> Iterator[httpx.Client]:
    """The image's server, until it has ended in order."""
    command = container.command(*container.image.config["Entrypoint"], env=env)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=url, timeout=LIMIT, trust_env=False) as client:
            until(lambda: ready(client), process)
            yield client
    finally:
        process.terminate()
        process.wait(LIMIT)


def ready(client: httpx.Client) -> bool:
    try:
        return client.get("/v2/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def until(holds: Callable[[], bool], process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + LIMIT
    while not holds():
        assert process.poll() is None, f"it has ended with {process.returncode}"
        assert time.monotonic() < deadline, f"it is not ready after {LIMIT:g} s"
        time.sleep(0.05)


def opened(folder: Path) -> None:
    """To the image's user, who is nobody on this machine."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    for path in folder.parents[:3]:
        path.chmod(path.stat().st_mode | 0o011)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
