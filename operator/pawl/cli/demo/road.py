"""The steps of the demo, each of which must be seen to happen."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from pawl.cli.demo.apply import NAMESPACE, apply
from pawl.cli.demo.faulty import faulty
from pawl.cli.demo.report import next_steps, report
from pawl.cli.demo.traffic import DemoError, Traffic, expect_all_answered, load, send
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
ROOT = Path(__file__).resolve().parents[4]
EXAMPLE = ROOT / "manifests" / "examples" / "breast-cancer"
MODEL = "breast-cancer"
_STEP_LIMIT = 90.0


@dataclass
class Road:
    """One walk; `begun` is when, by the monotonic clock."""

    console: Console
    folder: Path
    begun: float
    rows: list[dict[str, Any]] = field(default_factory=list)
    periods: list[tuple[str, Traffic]] = field(default_factory=list)

    def done(self, text: str) -> None:
        """A step was seen to happen."""
        clock = time.monotonic() - self.begun
        self.console.print(f"[green]✓[/] {clock:5.1f} s  {text}", highlight=False)

    async def walk(self) -> None:
        """All steps."""
        kube = await Kube.connect()
        try:
            await self._first_version(kube)
            await self._good_candidate(kube)
            await self._caught_in_shadow(kube)
            await self._rolled_back_in_canary(kube)
            await report(kube, self.console, self.periods)
            self._show_objects()
            next_steps(self.console)
            took = time.monotonic() - self.begun
            self.console.print(f"\n[bold green]done[/] in {took:.0f} s")
        finally:
            await kube.close()

    async def _first_version(self, kube: Kube) -> None:
        data = self.folder / "data" / "volumes" / NAMESPACE / MODEL
        self.rows = write_breast_cancer(data / "breast-cancer.parquet")
        write_breast_cancer(data / "shuffled.parquet", shuffled=True)
        self._apply(EXAMPLE)
        version = await self._trained(kube, "breast-cancer-1")
        await self._served(kube, version)
        traffic = Traffic()
        await send(await _url(kube), self.rows, traffic, limit=300)
        expect_all_answered(traffic)
        self.periods.append(("v1 serves alone", traffic))
        self.done(f"{traffic.ok} predictions through the router")
        self._apply(EXAMPLE / "deployment-rollout.yaml")

    async def _good_candidate(self, kube: Kube) -> None:
        self._apply(EXAMPLE / "trainingjob-better.yaml")
        async with self._load(kube, "v2 is tried and promoted") as traffic:
            version = await self._trained(kube, "breast-cancer-2")
            await self._rollout(kube, version, "Promoted")
        expect_all_answered(traffic)
        self.done(f"{version} promoted under load: {traffic.ok} requests, 0 failed")

    async def _caught_in_shadow(self, kube: Kube) -> None:
        self._apply(EXAMPLE / "trainingjob-shuffled.yaml")
        async with self._load(kube, "v3 is caught in the shadow") as traffic:
            version = await self._trained(kube, "breast-cancer-3")
            await self._rollout(kube, version, "GateFailed")
        expect_all_answered(traffic)
        if "3" in traffic.by_version:
            raise DemoError("v3 answered a user")
        self.done(f"{version} caught by its answers: {traffic.ok} requests, none of them by it")

    async def _rolled_back_in_canary(self, kube: Kube) -> None:
        good = await kube.get(MODEL_VERSIONS, NAMESPACE, f"{MODEL}-v2")
        if good is None:
            raise DemoError("v2 is gone")
        store = f"file://{self.folder / 'data' / 'store'}"
        path = self.folder / "modelversion-faulty.yaml"
        path.write_text(yaml.safe_dump(faulty(good, 4, store, NAMESPACE)))
        async with self._load(kube, "v4 is rolled back in the canary") as traffic:
            self._apply(path)
            await self._rollout(kube, f"{MODEL}-v4", "GateFailed")
            seen = len(traffic.failed)
            await asyncio.sleep(1.0)
        if not traffic.by_version.get("4"):
            raise DemoError("v4 never had a user: it was not caught in the canary")
        if len(traffic.failed) > seen:
            raise DemoError("requests still fail after v4 was rolled back")
        total = traffic.ok + len(traffic.failed)
        self.done(f"{MODEL}-v4 rolled back: it failed {len(traffic.failed)} of {total} requests")

    def _load(self, kube: Kube, name: str) -> Any:
        traffic = Traffic()
        self.periods.append((name, traffic))
        return load(_url(kube), self.rows, traffic)

    async def _trained(self, kube: Kube, name: str) -> str:
        with self.console.status(f"training {name}") as status:
            async for item in self._changes(kube, TRAINING_JOBS, name, f"{name} to be trained"):
                told = item.get("status", {})
                phase = told.get("phase", "…")
                status.update(f"training {name}: {phase} {told.get('progress', 0)} %")
                if phase == "Failed":
                    raise DemoError(f"{name} failed: {told['run']['message']}")
                if phase == "Succeeded":
                    version = str(told["modelVersion"])
                    await self._accepted(kube, version)
                    self.done(f"{version} trained, {told.get('score', '')}")
                    return version
        raise DemoError(f"{name} vanished")

    async def _accepted(self, kube: Kube, version: str) -> None:
        item = await kube.get(MODEL_VERSIONS, NAMESPACE, version)
        if item is None:
            raise DemoError(f"{version} does not exist")
        if item.get("status", {}).get("stage") == "Rejected":
            raise DemoError(f"{version} was rejected by its gates")

    async def _served(self, kube: Kube, version: str) -> None:
        with self.console.status(f"serving {version}") as status:
            async for item in self._changes(kube, DEPLOYMENTS, MODEL, f"{version} to be served"):
                told = item.get("status", {})
                status.update(f"serving {version}: {told.get('phase', '…')}")
                serving = (told.get("stable") or {}).get("name") == version
                if serving and told.get("phase") == "Serving":
                    self.done(f"{version} gets all requests")
                    return

    async def _rollout(self, kube: Kube, version: str, reason: str) -> None:
        """Until the history says how the rollout of a version ended: as expected."""
        seen = ""
        with self.console.status(f"rollout of {version}") as status:
            async for item in self._changes(kube, DEPLOYMENTS, MODEL, f"the rollout of {version}"):
                told = item.get("status", {})
                status.update(_progress(told))
                state = told.get("rollout") or {}
                stage = f"{state.get('phase')} {state.get('weight', 0)} %"
                if state.get("candidate") == version and state.get("stepStartedAt"):
                    if stage != seen and state["phase"] in ("Shadow", "Canary"):
                        self.done(f"  {version}: {stage.removesuffix(' 0 %').lower()}")
                    seen = stage
                ended = [e for e in told.get("history", ()) if e["version"] == version]
                if ended and told.get("phase") == "Serving":
                    if ended[0]["reason"] != reason:
                        raise DemoError(f"{version}: {ended[0]['reason']}, not {reason}")
                    why = [e for e in told.get("rolledBack", ()) if e["version"] == version]
                    if why:
                        self.console.print(f"           {why[0]['message']}", style="dim")
                    return

    async def _changes(
        self, kube: Kube, resource: Resource, name: str, what: str
    ) -> AsyncIterator[Object]:
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
        message = ready.get("message", "no status")
        raise DemoError(f"waited {_STEP_LIMIT:.0f} s for {what}: {message}")

    def _show_objects(self) -> None:
        if shutil.which("kubectl"):
            self.console.print("\n[bold]kubectl get tj,mv,mdep[/]")
            subprocess.run(["kubectl", "get", "tj,mv,mdep"], check=True)  # noqa: S607

    def _apply(self, path: Path) -> None:
        apply(path)
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
        self.console.print(f"  applied {shown}", style="dim")


def _progress(told: Object) -> str:
    """One line of live progress: traffic, and how sure the gates are."""
    traffic = ", ".join(
        f"{t['version']} {t['role']} {t['weight']} %" for t in told.get("traffic", [])
    )
    gates = [
        f"{gate['metric']} {gate['verdict']}"
        + (f" (about {gate['needed']} more)" if gate.get("needed") else "")
        for gate in (told.get("rollout") or {}).get("gates", [])
        if gate["metric"] != "traffic_split"
    ]
    return f"{told.get('phase', '…')}: {traffic}   {', '.join(gates)}"


async def _url(kube: Kube) -> str:
    service = await kube.get(SERVICES, NAMESPACE, MODEL)
    if service is None:
        raise DemoError("the router has no Service")
    return f"http://{service['spec']['clusterIP']}:{ROUTER_PORT}/v2/models/{MODEL}/infer"
