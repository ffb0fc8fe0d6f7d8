"""An API server in this process, with Pawl's kinds and nobody who works on them."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from pawl.api.crds import all_crds
from pawl.local.api import bootstrap
from pawl.local.api.http.server import Server
from pawl.local.api.registry import Registry

TOKEN = "a-token-for-tests"
DEPLOYMENTS = "pawl.dev/modeldeployments"


class Api:
    """A running server. `namespace` is the one of the kubeconfig's context."""

    namespace = "ml"

    def __init__(self) -> None:
        self.registry = Registry()
        self.server = Server(self.registry, TOKEN)
        self.loop = asyncio.new_event_loop()

    def run(self, call: Callable[[], Any]) -> Any:
        async def on_loop() -> Any:
            return call()

        return asyncio.run_coroutine_threadsafe(on_loop(), self.loop).result(30)

    async def start(self) -> None:
        bootstrap.populate(self.registry)
        for crd in all_crds():
            name = "apiextensions.k8s.io/customresourcedefinitions"
            self.registry.create(name, None, crd, manager="test")
        namespace = {"metadata": {"name": self.namespace}}
        self.registry.create("namespaces", None, namespace, manager="test")
        await self.server.start("127.0.0.1")

    def deployment(
        self,
        name: str,
        status: dict[str, Any] | None = None,
        *,
        namespace: str | None = None,
        **spec: Any,
    ) -> dict[str, Any]:
        """One that was applied, with a status that an operator wrote."""
        item = {
            "apiVersion": "pawl.dev/v1alpha1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {"model": "churn"} | spec,
        }
        where = namespace or self.namespace
        made = self.run(lambda: self.registry.create(DEPLOYMENTS, where, item, manager="user"))
        if status is not None:
            self.run(
                lambda: self.registry.update(
                    DEPLOYMENTS,
                    where,
                    {**made, "status": status},
                    manager="pawl",
                    subresource="status",
                )
            )
        return self.get(name, namespace=where)

    def get(self, name: str, *, namespace: str | None = None) -> dict[str, Any]:
        """As it is now."""
        where = namespace or self.namespace
        found: dict[str, Any] = self.run(lambda: self.registry.get(DEPLOYMENTS, where, name))
        return found

    def kubeconfig(self) -> str:
        cluster = {
            "server": self.server.url,
            "certificate-authority-data": base64.b64encode(self.server.ca).decode(),
        }
        context = {"cluster": "t", "user": "t", "namespace": self.namespace}
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "t",
                "clusters": [{"name": "t", "cluster": cluster}],
                "users": [{"name": "t", "user": {"token": TOKEN}}],
                "contexts": [{"name": "t", "context": context}],
            }
        )


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    made = Api()
    thread = threading.Thread(target=made.loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(made.start(), made.loop).result(60)
    yield made
    asyncio.run_coroutine_threadsafe(made.server.stop(), made.loop).result(30)
    made.loop.call_soon_threadsafe(made.loop.stop)
    thread.join()
    made.loop.close()


@pytest.fixture(autouse=True)
def kubeconfig(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(api.kubeconfig())
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path
