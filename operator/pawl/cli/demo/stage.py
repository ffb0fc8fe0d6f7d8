"""Where the demo happens: it applies manifests, waits for what must follow, and tells it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from pawl.cli.demo.apply import NAMESPACE, apply
from pawl.cli.demo.story import Story
from pawl.cli.demo.traffic import DemoError, Traffic, load
from pawl.constants import ROUTER_PORT
from pawl.control.kinds import DEPLOYMENTS, MODEL_VERSIONS, SERVICES, TRAINING_JOBS, Resource
from pawl.control.kube import Kube

Object = Mapping[str, Any]
ROOT = Path(__file__).resolve().parents[4]
EXAMPLE = ROOT / "manifests" / "examples" / "breast-cancer"
MODEL = "breast-cancer"
_STEP_LIMIT = 90.0


@dataclass
class Stage:
    """One cluster; `folder` is where it keeps its data, `periods` are the requests so far."""

    console: Console
    kube: Kube
    folder: Path
    story: Story
    periods: list[tuple[str, Traffic]] = field(default_factory=list)

    @property
    def data(self) -> Path:
        """Where the claim of the example is."""
        return self.folder / "data" / "volumes" / NAMESPACE / MODEL

    def done(self, text: str) -> None:
        """A step was seen to happen."""
        self.console.print(f"[green]✓[/] {self.story.clock():5.1f} s  {text}", highlight=False)

    def apply(self, path: Path) -> None:
        """As a user would."""
        apply(path)
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
        self.console.print(f"  applied {shown}", style="dim")

    def load(self, name: str, rows: list[dict[str, Any]]) -> AbstractAsyncContextManager[Traffic]:
        """Users, as long as the context lasts."""
        return load(self.url(), rows, self.period(name))

    def period(self, name: str) -> Traffic:
        """Requests that the table will tell of."""
        traffic = Traffic()
        self.periods.append((name, traffic))
        return traffic

    async def url(self) -> str:
        """Of the router."""
        service = await self.kube.get(SERVICES, NAMESPACE, MODEL)
        if service is None:
            raise DemoError("the router has no Service")
        return f"http://{service['spec']['clusterIP']}:{ROUTER_PORT}/v2/models/{MODEL}/infer"

    async def trained(self, name: str) -> str:
        """The version that a TrainingJob gave, accepted by its gates."""
        with self.console.status(f"training {name}") as status:
            async for item in self._changes(TRAINING_JOBS, name, f"{name} to be trained"):
                told = item.get("status", {})
                phase = told.get("phase", "…")
                status.update(f"training {name}: {phase} {told.get('progress', 0)} %")
                if phase in ("Failed", "NoNewData"):
                    raise DemoError(f"{name}: {phase}: {told['run']['message']}")
                if phase == "Succeeded":
                    version = str(told["modelVersion"])
                    if (await self.version(version)).get("status", {}).get("stage") == "Rejected":
                        raise DemoError(f"{version} was rejected by its gates")
                    self.done(f"{version} trained, {told.get('score', '')}")
                    return version
        raise DemoError(f"{name} vanished")

    async def approve(self, version: str) -> None:
        """As somebody would who looks at nothing."""
        patch = {"spec": {"approval": "Approved"}}
        await self.kube.merge(MODEL_VERSIONS, NAMESPACE, version, patch)
        self.console.print(f"  approved {version}", style="dim")

    async def version(self, name: str) -> Object:
        """A ModelVersion."""
        item = await self.kube.get(MODEL_VERSIONS, NAMESPACE, name)
        if item is None:
            raise DemoError(f"{name} does not exist")
        return item

    async def served(self, version: str) -> None:
        """Until it gets all requests."""

        def serves(told: Object) -> bool:
            stable = (told.get("stable") or {}).get("name")
            return stable == version and told.get("phase") == "Serving"

        await self.until(f"{version} to be served", serves, lambda told: told.get("phase", "…"))
        self.done(f"{version} gets all requests")

    async def rollout(self, version: str, reason: str) -> None:
        """Until the history says how the rollout of a version ended: as expected."""
        seen = ""

        def ended(told: Object) -> bool:
            nonlocal seen
            state = told.get("rollout") or {}
            stage = f"{state.get('phase')} {state.get('weight', 0)} %"
            if state.get("candidate") == version and state.get("stepStartedAt"):
                if stage != seen and state["phase"] in ("Shadow", "Canary"):
                    self.done(f"  {version}: {stage.removesuffix(' 0 %').lower()}")
                seen = stage
            return bool(_of(version, told, "history")) and told.get("phase") == "Serving"

        told = await self.until(f"the rollout of {version}", ended, _progress)
        if _of(version, told, "history")[0]["reason"] != reason:
            found = _of(version, told, "history")[0]["reason"]
            raise DemoError(f"{version}: {found}, not {reason}")
        for entry in _of(version, told, "rolledBack"):
            self.console.print(f"           {entry['message']}", style="dim")

    async def until(
        self, what: str, holds: Callable[[Object], bool], shown: Callable[[Object], str]
    ) -> Object:
        """The Deployment's status, once it is so; `shown` is its live progress."""
        with self.console.status(f"waiting for {what}") as status:
            async for item in self._changes(DEPLOYMENTS, MODEL, what):
                told: Object = item.get("status", {})
                status.update(f"waiting for {what}: {shown(told)}")
                if holds(told):
                    return told
        raise DemoError(f"{MODEL} vanished")

    async def _changes(self, resource: Resource, name: str, what: str) -> AsyncIterator[Object]:
        """The object whenever it may have changed; DemoError when the step takes too long."""
        deadline = time.monotonic() + _STEP_LIMIT
        last: Object = {}
        while time.monotonic() < deadline:
            item = await self.kube.get(resource, NAMESPACE, name)
            if item is not None:
                last = item
                yield item
            await asyncio.sleep(0.2)
        message = condition(last.get("status", {}), "Ready").get("message", "no status")
        raise DemoError(f"waited {_STEP_LIMIT:.0f} s for {what}: {message}")


def condition(told: Object, type_: str) -> Object:
    """One of a status; empty when it is not there."""
    return next((c for c in told.get("conditions", []) if c["type"] == type_), {})


def _of(version: str, told: Object, entries: str) -> list[Object]:
    return [entry for entry in told.get(entries, ()) if entry["version"] == version]


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
    return f"{traffic}   {', '.join(gates)}"
