"""`pawl demo`: the first road all the way, on a cluster that lives as long as the demo.

Train → version → serve → a better version replaces it under load. Everything is done as a user
would do it (manifests, kubectl where it is installed), and the exit code is 0 only when each of the
steps was seen to happen.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from pawl.cli.demo_traffic import (
    NAMESPACE,
    DemoError,
    Traffic,
    expect_all_answered,
    next_steps,
    report,
    send,
)
from pawl.cli.example_data import write_breast_cancer
from pawl.constants import ROUTER_PORT
from pawl.control.kinds import (
    DEPLOYMENTS,
    MODEL_VERSIONS,
    SERVICES,
    TRAINING_JOBS,
    Resource,
)
from pawl.control.kube import Kube

Object = Mapping[str, Any]
ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "manifests" / "examples" / "breast-cancer"
MODEL = "breast-cancer"
_STEP_LIMIT = 90.0


def run(keep: bool) -> None:
    """Raises DemoError with the step that failed."""
    if not EXAMPLE.is_dir():
        raise DemoError(f"{EXAMPLE} is missing: run the demo from a checkout")
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="pawl-demo-"))
    kubeconfig = folder / "kubeconfig"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)  # each of them still stops the cluster
    begun = time.monotonic()
    cluster: subprocess.Popen[bytes] | None = None
    finished = False
    try:
        with console.status("starting a cluster of its own"):
            cluster = _start(folder)
        _done(console, begun, f"the cluster and the operator run ({kubeconfig})")
        os.environ["KUBECONFIG"] = str(kubeconfig)
        asyncio.run(_road(console, begun, folder))
        finished = True
    finally:
        if finished and keep:
            console.print(f"\nThe cluster goes on: export KUBECONFIG={kubeconfig}")
            console.print(f"End it with: .venv/bin/pawl local down --kubeconfig {kubeconfig}")
        else:
            with console.status("stopping the cluster"):
                _stop(cluster)
            shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path) -> subprocess.Popen[bytes]:
    """The cluster as a process of ours, in a session of its own: Ctrl-C reaches us alone."""
    words = [sys.executable, "-m", "pawl", "local", "up"]
    words += ["--kubeconfig", str(folder / "kubeconfig"), "--data-dir", str(folder / "data")]
    log = folder / "up.log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603
            words, stdout=out, stderr=out, start_new_session=True
        )
    try:
        deadline = time.monotonic() + _STEP_LIMIT
        while b"The cluster is up" not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                raise DemoError(f"the cluster did not start: {log.read_text()[-500:]}")
            time.sleep(0.05)
    except BaseException:
        _stop(process)
        raise
    return process


def _stop(cluster: subprocess.Popen[bytes] | None) -> None:
    if cluster is None:
        return
    cluster.terminate()
    try:
        cluster.wait(40)
    except subprocess.TimeoutExpired:
        cluster.kill()


async def _road(console: Console, begun: float, folder: Path) -> None:
    kube = await Kube.connect()
    try:
        path = folder / "data" / "volumes" / NAMESPACE / MODEL / "breast-cancer.parquet"
        rows = write_breast_cancer(path)
        _apply(console, EXAMPLE)
        job = await _trained(kube, console, begun, "breast-cancer-1")
        await _serving(kube, console, begun, job["status"]["modelVersion"])
        url = await _url(kube)
        before, after = Traffic(), Traffic()
        await send(url, rows, before, limit=300)
        expect_all_answered(before)
        _done(console, begun, f"{before.ok} predictions through the router")
        _apply(console, EXAMPLE / "trainingjob-better.yaml")
        stop = asyncio.Event()
        load = asyncio.create_task(send(url, rows, after, stop=stop))
        try:
            job = await _trained(kube, console, begun, "breast-cancer-2")
            await _serving(kube, console, begun, job["status"]["modelVersion"])
        finally:
            stop.set()
            await load
        expect_all_answered(after)
        _done(console, begun, f"replaced under load: {after.ok} requests, 0 failed")
        await report(kube, console, before, after)
        _show_objects(console)
        console.print(f"\n[bold green]done[/] in {time.monotonic() - begun:.0f} s")
    finally:
        await kube.close()


async def _trained(kube: Kube, console: Console, begun: float, name: str) -> Object:
    with console.status(f"training {name}") as status:
        async for item in _changes(kube, TRAINING_JOBS, name, f"{name} to be trained"):
            told = item.get("status", {})
            status.update(f"training {name}: {told.get('phase', '…')} {told.get('progress', 0)} %")
            if told.get("phase") == "Failed":
                raise DemoError(f"{name} failed: {told['run']['message']}")
            if told.get("phase") == "Succeeded":
                version = await kube.get(MODEL_VERSIONS, NAMESPACE, told["modelVersion"])
                if version is None:
                    raise DemoError(f"{told['modelVersion']} does not exist")
                if version.get("status", {}).get("stage") == "Rejected":
                    raise DemoError(
                        f"{told['modelVersion']} was rejected: {told['run']['message']}"
                    )
                _done(console, begun, f"{told['modelVersion']} trained, {told.get('score', '')}")
                return item
    raise DemoError(f"{name} vanished")


async def _serving(kube: Kube, console: Console, begun: float, version: str) -> None:
    with console.status(f"serving {version}") as status:
        async for item in _changes(kube, DEPLOYMENTS, MODEL, f"{version} to be served"):
            told = item.get("status", {})
            status.update(f"serving {version}: {told.get('phase', '…')}")
            serving = (told.get("stable") or {}).get("name") == version
            if serving and told.get("phase") == "Serving":
                _done(console, begun, f"{version} gets all requests")
                return


async def _changes(kube: Kube, resource: Resource, name: str, what: str) -> AsyncIterator[Object]:
    """The object whenever it may have changed; DemoError when the step takes too long."""
    deadline = time.monotonic() + _STEP_LIMIT
    last: Object = {}
    while time.monotonic() < deadline:
        item = await kube.get(resource, NAMESPACE, name)
        if item is not None:
            last = item
            yield item
        await asyncio.sleep(0.2)
    conditions = last.get("status", {}).get("conditions", [])
    ready: Object = next((c for c in conditions if c["type"] == "Ready"), {})
    raise DemoError(f"waited {_STEP_LIMIT:.0f} s for {what}: {ready.get('message', 'no status')}")


async def _url(kube: Kube) -> str:
    service = await kube.get(SERVICES, NAMESPACE, MODEL)
    if service is None:
        raise DemoError("the router has no Service")
    return f"http://{service['spec']['clusterIP']}:{ROUTER_PORT}/v2/models/{MODEL}/infer"


def _show_objects(console: Console) -> None:
    if shutil.which("kubectl"):
        console.print("\n[bold]kubectl get tj,mv,mdep[/]")
        subprocess.run(["kubectl", "get", "tj,mv,mdep"], check=True)  # noqa: S607
    next_steps(console)


def _apply(console: Console, path: Path) -> None:
    """With kubectl where it is installed, else through the official Python client."""
    if shutil.which("kubectl"):
        flag = "-k" if path.is_dir() else "-f"
        subprocess.run(  # noqa: S603
            ["kubectl", "apply", flag, str(path)],  # noqa: S607
            check=True,
            stdout=subprocess.DEVNULL,
        )
    else:
        _apply_by_client(path)
    console.print(f"  applied {path.relative_to(ROOT)}", style="dim")


def _apply_by_client(path: Path) -> None:
    from kubernetes import client, config, dynamic  # noqa: PLC0415

    config.load_kube_config()  # type: ignore[no-untyped-call]
    api = dynamic.DynamicClient(client.ApiClient())  # type: ignore[no-untyped-call]
    for item in _manifests(path):
        resource = api.resources.get(api_version=item["apiVersion"], kind=item["kind"])
        resource.server_side_apply(
            body=item, name=item["metadata"]["name"], namespace=NAMESPACE, field_manager="pawl-demo"
        )


def _manifests(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_dir():
        names = yaml.safe_load((path / "kustomization.yaml").read_text())["resources"]
        files = [path / name for name in names]
    else:
        files = [path]
    for file in files:
        yield from yaml.safe_load_all(file.read_text())


def _done(console: Console, begun: float, text: str) -> None:
    console.print(f"[green]✓[/] {time.monotonic() - begun:5.1f} s  {text}", highlight=False)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
