"""MLflow servers: the double that other tests use, and a real one on a real PostgreSQL, so that the
double is known to answer as it does.

`PAWL_MLFLOW` is the folder of an environment that has `mlflow` (make test-mlflow makes one). The
real one needs PostgreSQL's programs and, where the tests run as root, the user postgres.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "unit"))

from mlflow_double import mlflow_double

LIMIT = 60.0


@pytest.fixture(scope="session", params=["double", "real"])
def uri(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server that several tests share."""
    if request.param == "double":
        with mlflow_double() as server:
            yield server.uri
        return
    environment = os.environ.get("PAWL_MLFLOW")
    if not environment:
        pytest.skip("needs PAWL_MLFLOW, an environment with mlflow (make test-mlflow)")
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if programs is None:
        pytest.skip("needs PostgreSQL's programs")
    folder = tmp_path_factory.mktemp("mlflow")
    with (
        _postgres(programs, folder / "pg") as database,
        _mlflow(Path(environment), folder, database) as found,
    ):
        yield found


@contextmanager
def _postgres(programs: Path, folder: Path) -> Iterator[str]:
    """Gives the URI of an empty database."""
    folder.mkdir()
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        for parent in (folder, *folder.parents[:3]):
            os.chmod(parent, 0o755)
        subprocess.run(["chown", user, str(folder)], check=True)
    port = free_port()
    made = [str(programs / "initdb"), "-D", f"{folder}/data", "-A", "trust", "-U", "postgres"]
    subprocess.run(made, check=True, user=user, stdout=subprocess.DEVNULL, cwd=folder)
    options = ["-p", str(port), "-k", str(folder), "-h", "127.0.0.1", "-F"]
    server = subprocess.Popen(
        [str(programs / "postgres"), "-D", f"{folder}/data", *options],
        user=user, stderr=subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    try:
        wait_for(lambda: _listens(port), "PostgreSQL")
        create = [str(programs / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
        subprocess.run([*create, "mlflow"], check=True)
        yield f"postgresql+psycopg2://postgres@127.0.0.1:{port}/mlflow"
    finally:
        server.terminate()
        server.wait(LIMIT)


@contextmanager
def _mlflow(environment: Path, folder: Path, database: str) -> Iterator[str]:
    port = free_port()
    program = str((environment / "bin" / "mlflow").absolute())
    server = subprocess.Popen(
        [program, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
         "--backend-store-uri", database, "--artifacts-destination", f"{folder}/files"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(lambda: _healthy(port), "MLflow")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, 15)
        server.wait(LIMIT)


def wait_for(holds, what: str) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + LIMIT
    while not holds():
        assert time.monotonic() < deadline, f"{what} does not start"
        time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
