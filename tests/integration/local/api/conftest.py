"""A cluster's API server alone (no controllers, no node), for real clients."""

import asyncio
import base64
import json
import os
import shutil
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pawl.api.crds import all_crds
from pawl.local.api import bootstrap
from pawl.local.api.http.server import Server
from pawl.local.api.registry import Registry

TOKEN = "a-token-for-tests"


@dataclass
class Api:
    """A running server; `run` calls something on its event loop, where the registry lives."""

    server: Server
    registry: Registry
    loop: asyncio.AbstractEventLoop
    kubeconfig: Path

    def run(self, call: Callable[[], Any]) -> Any:
        async def on_loop() -> Any:
            return call()

        return asyncio.run_coroutine_threadsafe(on_loop(), self.loop).result(30)


@dataclass
class Kubectl:
    """kubectl in one namespace."""

    kubeconfig: Path
    namespace: str
    directory: Path
    env: dict[str, str] = field(default_factory=dict)

    def __call__(self, *args: str, stdin: Any = None, fails: bool = False) -> str:
        """Its standard output; its standard error when it must fail."""
        done = self.raw(*args, stdin=stdin)
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    def raw(self, *args: str, stdin: Any = None) -> "subprocess.CompletedProcess[str]":
        text = stdin if isinstance(stdin, str | None) else json.dumps(stdin)
        return subprocess.run(
            [*self.command, *args],
            input=text, capture_output=True, text=True, timeout=60, env=self._env, check=False,
        )  # fmt: skip

    def start(self, *args: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*self.command, *args], stdout=subprocess.PIPE, text=True, env=self._env
        )

    def json(self, *args: str) -> Any:
        return json.loads(self(*args, "-o", "json"))

    @property
    def command(self) -> list[str]:
        return ["kubectl", f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}"]

    @property
    def _env(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.directory), **self.env}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    registry = Registry()
    server = Server(registry, TOKEN, bookmark_seconds=1.0)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    kubeconfig = tmp_path_factory.mktemp("api") / "kubeconfig"

    async def start() -> None:
        bootstrap.populate(registry)
        for crd in all_crds():
            registry.create(
                "apiextensions.k8s.io/customresourcedefinitions", None, crd, manager="test"
            )
        await server.start("127.0.0.1")

    asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    kubeconfig.write_text(json.dumps(_config(server)))
    yield Api(server, registry, loop, kubeconfig)
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def _config(server: Server) -> dict[str, Any]:
    authority = base64.b64encode(server.ca).decode()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [
            {
                "name": "test",
                "cluster": {"server": server.url, "certificate-authority-data": authority},
            }
        ],
        "users": [{"name": "test", "user": {"token": TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }


@pytest.fixture
def namespace(api: Api) -> str:
    name = f"t-{uuid.uuid4().hex[:8]}"
    api.run(
        lambda: api.registry.create(
            "namespaces", None, {"metadata": {"name": name}}, manager="test"
        )
    )
    return name


@pytest.fixture
def kubectl(api: Api, namespace: str, tmp_path: Path) -> Kubectl:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    return Kubectl(api.kubeconfig, namespace, tmp_path)
