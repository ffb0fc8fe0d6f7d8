"""The acts of the demo, each step of which must be seen to happen."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import yaml

from pawl.cli.demo.apply import NAMESPACE
from pawl.cli.demo.faulty import faulty
from pawl.cli.demo.loop import close_the_loop
from pawl.cli.demo.stage import EXAMPLE, MODEL, Stage
from pawl.cli.demo.traffic import DemoError, expect_all_answered, send
from pawl.cli.example_data import write_breast_cancer


@dataclass
class Road:
    """One walk over a stage; `rows` are what users ask for."""

    stage: Stage
    rows: list[dict[str, Any]] = field(default_factory=list)

    async def walk(self) -> None:
        """All acts."""
        await self.first_version()
        await self.good_candidate()
        await self.caught_in_shadow()
        await self.rolled_back_in_canary()
        await self.closed_loop()

    async def first_version(self) -> None:
        """v1 is trained and served."""
        stage = self.stage
        self.rows = write_breast_cancer(stage.data / "breast-cancer.parquet")
        write_breast_cancer(stage.data / "shuffled.parquet", shuffled=True)
        stage.apply(EXAMPLE)
        await stage.served(await stage.trained("breast-cancer-1"))
        traffic = stage.period("v1 serves alone")
        await send(await stage.url(), self.rows, traffic, limit=300)
        expect_all_answered(traffic)
        stage.done(f"{traffic.ok} predictions through the router")
        stage.apply(EXAMPLE / "deployment-rollout.yaml")

    async def good_candidate(self) -> None:
        """v2 is shadowed, canaried and promoted, while v3 is trained already."""
        stage = self.stage
        stage.apply(EXAMPLE / "trainingjob-better.yaml")
        version = await stage.trained("breast-cancer-2")
        stage.apply(EXAMPLE / "trainingjob-shuffled.yaml")
        async with stage.load("v2 is tried and promoted", self.rows) as traffic:
            await stage.rollout(version, "Promoted")
        expect_all_answered(traffic)
        stage.done(f"{version} promoted under load: {traffic.ok} requests, 0 failed")

    async def caught_in_shadow(self) -> None:
        """v3 is approved, gives other answers, and no user ever gets one."""
        stage = self.stage
        version = await stage.trained("breast-cancer-3")
        await stage.approve(version)
        async with stage.load("v3 is caught in the shadow", self.rows) as traffic:
            await stage.rollout(version, "GateFailed")
        expect_all_answered(traffic)
        if "3" in traffic.by_version:
            raise DemoError("v3 answered a user")
        stage.done(f"{version} caught by its answers: {traffic.ok} requests, none of them by it")

    async def rolled_back_in_canary(self) -> None:
        """v4 fails for some users, until it has none any more."""
        stage = self.stage
        good = await stage.version(f"{MODEL}-v2")
        store = f"file://{stage.folder / 'data' / 'store'}"
        path = stage.folder / "modelversion-faulty.yaml"
        path.write_text(yaml.safe_dump(faulty(good, 4, store, NAMESPACE)))
        async with stage.load("v4 is rolled back in the canary", self.rows) as traffic:
            stage.apply(path)
            await stage.rollout(f"{MODEL}-v4", "GateFailed")
            seen = len(traffic.failed)
            await asyncio.sleep(1.0)
        if not traffic.by_version.get("4"):
            raise DemoError("v4 never had a user: it was not caught in the canary")
        if len(traffic.failed) > seen:
            raise DemoError("requests still fail after v4 was rolled back")
        total = traffic.ok + len(traffic.failed)
        stage.done(f"{MODEL}-v4 rolled back: it failed {len(traffic.failed)} of {total} requests")

    async def closed_loop(self) -> None:
        """v2 drifts, and v5 takes its place."""
        await close_the_loop(self.stage, self.rows, f"{MODEL}-v2")
