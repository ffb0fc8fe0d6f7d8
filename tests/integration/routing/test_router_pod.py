"""The router's pod as it is written for a cluster, with its volumes, as a node runs it."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

from client import Client
from test_tls import certificate, context, same, shown
from town import Town, eventually, route

from pawl.api.deployment import DeploymentSpec
from pawl.core.installation import Images, Installation
from pawl.core.manifests import router
from pawl.local.node.environment import build
from pawl.local.node.images import pull
from pawl.local.node.launch import Launch, Surface, prepare
from pawl.local.node.volumes import PodVolumes

OWNER = {
    "kind": "Deployment",
    "metadata": {"name": "churn", "namespace": "ml", "uid": "uid-d"},
}
SPEC = DeploymentSpec.model_validate(
    {"model": "churn", "routing": {"tls": {"secretName": "churn-tls"}}}
)
INSTALLATION = Installation(
    "test", "file:///store", Images("pawl/server:1", "pawl/s:1", "pawl/trainer:1", "pawl/router:1")
)


async def test_a_router_finds_its_files_and_a_renewed_certificate(town: Town, tmp_path: Path):
    await town.pod(7)
    first, second = certificate("one"), certificate("two")
    objects = {
        "configmaps": router.build_router_config(OWNER, SPEC, route({7: 100}, tls=True)),
        "secrets": {"data": _encoded(first)},
    }
    pod = _pod()
    volumes = PodVolumes(tmp_path / "pod", tmp_path, lambda kind, _: objects[kind], bytes)
    volumes.set_up(pod)
    launch = _launch(pod, volumes, town, tmp_path)
    process = await asyncio.create_subprocess_exec(*launch.argv, cwd=launch.cwd, env=launch.env)
    try:
        client = Client(town.address, tls=context())
        await eventually(lambda: _answers(client))
        assert same(await shown(town), first["tls.crt"])
        objects["secrets"] = {"data": _encoded(second)}
        assert volumes.refresh(pod)

        async def renewed() -> bool:
            return same(await shown(town), second["tls.crt"])

        await eventually(renewed)
        await client.close()
    finally:
        process.kill()
        await process.wait()


def _pod() -> dict[str, Any]:
    made = router.build_router(OWNER, SPEC, INSTALLATION)["spec"]["template"]
    return {**made, "metadata": {**made["metadata"], "name": "churn-router-0", "namespace": "ml"}}


def _launch(pod: dict[str, Any], volumes: PodVolumes, town: Town, folder: Path) -> Launch:
    (container,) = pod["spec"]["containers"]
    env = build(container, pod=pod, services={}, find=lambda *_: None)
    mounts = volumes.mounts(container, pod, env)
    home = folder / "home"
    home.mkdir()
    surface = Surface(town.address, "router", "ml", home, mounts, env, town.dns)
    return prepare(container, pull(INSTALLATION.images.router), surface)


def _encoded(files: dict[str, str]) -> dict[str, str]:
    return {name: base64.b64encode(text.encode()).decode() for name, text in files.items()}


async def _answers(client: Client) -> bool:
    return (await client.ask()).status == 200
