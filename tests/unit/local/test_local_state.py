import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pawl.local.state import (
    DataDirectory,
    LocalError,
    Running,
    check_kubeconfig,
    data_of,
    default_data,
    find,
    stop,
    write_kubeconfig,
)

RUNNING = Running(1, "https://127.16.0.1:6443", "kc", 0, "2026-11-21T04:00:00Z")


def kubeconfig(path: Path) -> Path:
    write_kubeconfig(path, url="https://x", token="t", ca=b"PEM", data=default_data(path))
    return path


def test_a_kubeconfig_is_private_and_names_its_data(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "sub" / "kc")
    assert path.stat().st_mode & 0o777 == 0o600
    assert data_of(path) == tmp_path / "sub" / "kc.data"
    content = json.loads(path.read_text())
    assert content["clusters"][0]["cluster"]["server"] == "https://x"
    assert content["users"][0]["user"] == {"token": "t"}
    assert content["current-context"] == content["contexts"][0]["name"]


def test_ours_is_replaced_and_a_foreign_one_is_not(tmp_path: Path) -> None:
    ours = kubeconfig(tmp_path / "ours")
    check_kubeconfig(ours)
    check_kubeconfig(tmp_path / "none")
    foreign = tmp_path / "foreign"
    for text in ("apiVersion: v1\n", "{}", '{"clusters": [{"cluster": {}}]}', "[1]"):
        foreign.write_text(text)
        with pytest.raises(LocalError, match="left alone"):
            kubeconfig(foreign)
        assert foreign.read_text() == text


def test_only_one_cluster_has_a_directory(tmp_path: Path) -> None:
    first, second = DataDirectory(tmp_path), DataDirectory(tmp_path)
    first.acquire()
    assert second.is_locked()
    with pytest.raises(LocalError, match="already running"):
        second.acquire()
    first.release()
    assert not second.is_locked()
    second.acquire()
    second.release()


def test_it_runs_only_as_long_as_it_holds_the_lock(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.acquire()
    assert directory.read() is None  # not serving yet
    directory.write(RUNNING)
    assert DataDirectory(tmp_path).read() == RUNNING
    directory.release()
    directory.write(RUNNING)  # as a killed cluster leaves it
    assert DataDirectory(tmp_path).read() is None


def test_what_a_killed_cluster_left_is_removed_and_data_stay(tmp_path: Path) -> None:
    (tmp_path / "pods" / "uid").mkdir(parents=True)
    (tmp_path / "volumes" / "default").mkdir(parents=True)
    (tmp_path / "store").mkdir()
    directory = DataDirectory(tmp_path)
    directory.write(RUNNING)
    directory.acquire()
    left = {entry.name for entry in tmp_path.iterdir()}
    assert left == {"lock", "logs", "volumes", "store"}
    directory.release()


def test_stop_without_a_cluster_removes_its_kubeconfig(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "kc")
    default_data(path).mkdir()
    assert stop(find(path), path) is False
    assert not path.exists()


def test_find_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="start one with: pawl local up"):
        find(tmp_path / "kc")
    (tmp_path / "foreign").write_text("x: y")
    with pytest.raises(LocalError, match="was not written by pawl local"):
        find(tmp_path / "foreign")


_HOLDER = """
import os, signal, sys
from pathlib import Path
from pawl.local.state import DataDirectory, Running

if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
directory = DataDirectory(Path(sys.argv[1]))
directory.acquire()
directory.write(Running(os.getpid(), "u", "k", 0, "s"))
print("up", flush=True)
signal.pause()
"""


@pytest.mark.parametrize(
    ("hearing", "number"), [("good", signal.SIGTERM), ("deaf", signal.SIGKILL)]
)
def test_stop_waits_for_the_end_of_the_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hearing: str, number: int
) -> None:
    monkeypatch.setattr("pawl.local.state._PATIENCE", 0.2 if hearing == "deaf" else 20)
    path = kubeconfig(tmp_path / "kc")
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(default_data(path)), hearing],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    assert stop(find(path), path) is True
    assert process.wait(5) == -number
    process.stdout.close()
