"""What is left on disk of a cluster: its kubeconfig, its data directory, who runs it.

    PATH               the kubeconfig; names the data directory in an extension, so that the
                       commands need nothing but its path, and marks the file as Pawl's
    PATH.data/         the data directory (unless another was given)
        lock           held (flock) as long as the cluster runs: the truth about "running"
        cluster.json   pid and address of the one that runs or ran
        logs/ pods/ volumes/ store/

A cluster that was killed leaves its files but not its lock; the next `up` or `down` removes what
it left. Volumes of claims, the artifact store and the logs stay: they are data.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from pawl.errors import PawlError

Obj = dict[str, Any]

_EXTENSION = "local.pawl.dev"
_VANISHING = ("pods", "cluster.json")
_PATIENCE = 20.0  # seconds for a cluster to stop by itself


class LocalError(PawlError):
    """The command cannot be carried out; the sentence says what to do instead."""

    reason = "LocalClusterError"


@dataclass(frozen=True)
class Running:
    """Written by the cluster once it serves."""

    pid: int
    url: str
    kubeconfig: str
    operators: int
    started: str


class DataDirectory:
    """The files of one cluster."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: TextIO | None = None

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def acquire(self) -> None:
        """Become the one cluster of this directory, and remove what a killed one left.

        Raises LocalError when another one runs.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = (self.path / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise LocalError(f"a cluster is already running with the data in {self.path}") from None
        self._lock = lock
        self.clean()
        self.logs.mkdir(exist_ok=True)

    def release(self) -> None:
        self.clean()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def clean(self) -> None:
        for name in _VANISHING:
            path = self.path / name
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def is_locked(self) -> bool:
        """Whether a cluster runs here now."""
        try:
            with (self.path / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def write(self, running: Running) -> None:
        temporary = self.path / "cluster.json.tmp"
        temporary.write_text(json.dumps(asdict(running), indent=2) + "\n")
        temporary.replace(self.path / "cluster.json")

    def read(self) -> Running | None:
        """The cluster that runs here and serves; None when none does (yet)."""
        if not self.is_locked():
            return None
        try:
            return Running(**json.loads((self.path / "cluster.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None


def default_data(kubeconfig: Path) -> Path:
    return kubeconfig.with_name(kubeconfig.name + ".data")


def write_kubeconfig(path: Path, *, url: str, token: str, ca: bytes, data: Path) -> None:
    """Write a kubeconfig of ours. Raises LocalError rather than overwrite another one."""
    check_kubeconfig(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        json.dump(kubeconfig_object(url, token, ca, data), file, indent=2)
        file.write("\n")
    temporary.replace(path)


def kubeconfig_object(url: str, token: str, ca: bytes, data: Path) -> Obj:
    """A kubeconfig (JSON is YAML). `ca` is PEM, empty for a plain-text server."""
    cluster: Obj = {"server": url}
    if ca:
        cluster["certificate-authority-data"] = base64.b64encode(ca).decode()
    cluster["extensions"] = [{"name": _EXTENSION, "extension": {"dataDirectory": str(data)}}]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "pawl-local", "cluster": cluster}],
        "users": [{"name": "pawl-local", "user": {"token": token}}],
        "contexts": [
            {
                "name": "pawl-local",
                "context": {"cluster": "pawl-local", "user": "pawl-local", "namespace": "default"},
            }
        ],
        "current-context": "pawl-local",
    }


def check_kubeconfig(path: Path) -> None:
    """Raises LocalError when `path` exists and is not a kubeconfig of ours."""
    if path.exists() and data_of(path) is None:
        raise LocalError(
            f"{path} exists and was not written by pawl local: it is left alone. "
            "Choose another path with --kubeconfig"
        )


def data_of(kubeconfig: Path) -> Path | None:
    """The data directory that a kubeconfig of ours names; None for any other file."""
    try:
        content = json.loads(kubeconfig.read_text())  # ours are JSON; a foreign one may be YAML
        for entry in content["clusters"]:
            for extension in entry["cluster"].get("extensions") or ():
                if extension["name"] == _EXTENSION:
                    return Path(extension["extension"]["dataDirectory"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return None


def find(kubeconfig: Path) -> DataDirectory:
    """The data directory of the cluster of `kubeconfig`. Raises LocalError."""
    data = data_of(kubeconfig)
    if data is not None:
        return DataDirectory(data)
    if kubeconfig.exists():
        raise LocalError(f"{kubeconfig} was not written by pawl local")
    if default_data(kubeconfig).exists():
        return DataDirectory(default_data(kubeconfig))
    raise LocalError(f"there is no cluster for {kubeconfig}; start one with: pawl local up")


def stop(directory: DataDirectory, kubeconfig: Path) -> bool:
    """End the cluster and remove its kubeconfig. False: none was running, leftovers are removed."""
    running = directory.read()
    was_running = directory.is_locked()
    if running is not None:
        _end(running.pid)
    elif was_running:
        raise LocalError(f"the cluster in {directory.path} is just starting or stopping; try again")
    directory.clean()
    if data_of(kubeconfig) is not None:
        kubeconfig.unlink(missing_ok=True)
    return was_running


def _end(pid: int) -> None:
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(process, number)
            if select.select([process], [], [], _PATIENCE)[0]:  # readable: it has ended
                return
    except ProcessLookupError:
        return
    finally:
        os.close(process)
    raise LocalError(f"process {pid} does not end")
