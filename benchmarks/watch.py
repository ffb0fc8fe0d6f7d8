"""Many watched Deployments in one operator: what a look at all of them costs, and its memory.

    python -m benchmarks.watch [--deployments 1000] [--minutes 135]

Every Deployment serves a model of 60 features (50 numbers, 10 categories) from one pod, and is
looked at every minute, which is the default: what its pod counted is asked for, read, added to the
running window, and planned with; once an hour it decides. Windows, monitors and planner are the
real ones. Pods are pretended by another process
(watched_pods.py), and asked by HTTP; minutes are gone through one
after the other without a pause, so two hours take a few minutes. What is planned is not written to
an API server (that is in benchmarks/many_rollouts.py); objects are held as the cache would.

One Deployment in a hundred has traffic that is not like the baseline.

RATIO lines: the dearest look at all of them takes at most a minute of one core; all that have
drifted are told, and no others; resident memory is the same at the end as after the first half
hour, within 5 %.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, cast

import psutil

from benchmarks.decisions import Report
from benchmarks.serving_peers.running import free_port
from benchmarks.watched_pods import CALM, DRIFTED, MINUTE
from pawl import constants as c
from pawl.control.baselines import Baselines
from pawl.control.monitors import Monitors
from pawl.control.windows import Windows
from pawl.core.deployment import DeploymentObserved, plan_deployment
from pawl.core.front import FrontObserved
from pawl.core.installation import Images, Installation
from pawl.core.plan import Apply
from pawl.core.routing.route import Route
from pawl.core.routing.state import RouterState

WORKERS, ONE_IN = 8, 100
MOST_SECONDS, MOST_GROWTH = 60.0, 1.05
START = datetime(2026, 1, 5, tzinfo=UTC)
INSTALLATION = Installation(
    id="bench",
    store="file:///store",
    images=Images("pawl/server:1", "pawl/server-sklearn:1", "pawl/trainer:1", "pawl/router:1"),
)


@dataclass
class Watched:
    """One Deployment and its objects, as the API server would have them."""

    number: int
    item: dict[str, Any]
    objects: dict[tuple[str, str], Any] = field(default_factory=dict)

    @classmethod
    def numbered(cls, number: int) -> Watched:
        meta = {"name": f"d{number}", "namespace": "ml", "uid": f"uid-{number}", "generation": 1}
        spec = {"model": "m", "drift": {}}
        return cls(number, {**_typed("Deployment"), "metadata": meta, "spec": spec})

    @property
    def drifted(self) -> bool:
        return self.number % ONE_IN == 0

    @property
    def pod(self) -> Any:
        labels = {c.LABEL_VERSION: "1", c.LABEL_MODEL: "m", c.LABEL_ROLE: c.ROLE_SERVER}
        return {
            "metadata": {"name": f"d{self.number}-0", "labels": labels},
            "status": {"phase": "Running", "podIP": DRIFTED if self.drifted else CALM},
        }

    def of_role(self, kind: str, role: str) -> tuple[Any, ...]:
        return tuple(
            item
            for (known, _), item in self.objects.items()
            if known == kind and item["metadata"]["labels"].get(c.LABEL_ROLE) == role
        )

    async def look(self, windows: Windows, now: datetime) -> None:
        """Observes, plans, and keeps what is to be applied."""
        name = f"d{self.number}"
        window = self.objects.get(("ConfigMap", f"{name}-window"))
        config = self.objects.get(("ConfigMap", f"{name}-router"))
        routers: tuple[RouterState, ...] = ()
        if config is not None:
            route = Route.from_json(config["metadata"]["annotations"][c.ANNOTATION_ROUTE])
            healthy = dict.fromkeys(route.weights, 1)
            routers = (
                RouterState(route.clusters_revision, route.routes_revision, healthy, pod="r"),
            )
        observed = DeploymentObserved(
            object=self.item,
            versions=(VERSION,),
            servers=self.of_role("Deployment", c.ROLE_SERVER),
            services=self.of_role("Service", c.ROLE_SERVER),
            pods=(self.pod,),
            front=FrontObserved(routers, config, self.objects.get(("Service", name))),
            drift=await windows.observed(self.item, (self.pod,), window, now),
            window=window,
        )
        plan = plan_deployment(observed, INSTALLATION, now)
        self.item = {**self.item, "status": plan.status}
        for action in plan.actions:
            if isinstance(action, Apply):
                made = dict(action.object)
                made["metadata"] = {**made["metadata"], "uid": "x", "resourceVersion": "1"}
                if made["kind"] == "Deployment":
                    made["status"] = {"readyReplicas": 1, "updatedReplicas": 1}
                self.objects[(made["kind"], made["metadata"]["name"])] = made

    def condition(self) -> tuple[str, str]:
        found = self.item["status"]["conditions"]
        return next((x["status"], x["reason"]) for x in found if x["type"] == "Drifted")


def _typed(kind: str) -> dict[str, Any]:
    return {"apiVersion": c.API_VERSION, "kind": kind}


DIGEST = "sha256:" + "0" * 64
VERSION = {
    **_typed("ModelVersion"),
    "metadata": {
        "name": "m-v1",
        "namespace": "ml",
        "uid": "uid-v1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    },
    "spec": {
        "model": "m",
        "version": 1,
        "artifact": {"uri": "s3://m/1", "digest": DIGEST, "format": "onnx"},
    },
    "status": {
        "verifiedDigest": DIGEST,
        "conditions": [
            {
                "type": "ArtifactVerified",
                "status": "True",
                "reason": "Verified",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
    },
}


async def measure(port: int, count: int, minutes: int, report: Report) -> None:
    """Goes through the minutes, and reports."""
    fleet = [Watched.numbered(number) for number in range(count)]
    monitors, process = Monitors(port), psutil.Process()
    windows, now = Windows(monitors, Baselines(cast(Any, None))), START
    for _ in range(20):  # until all are served
        now += timedelta(seconds=1)
        await look(fleet, windows, now)
    spent, sizes = list[float](), list[float]()
    begun, cpu_begun = time.monotonic(), time.process_time()
    for minute in range(minutes):
        now += timedelta(seconds=MINUTE)
        cpu = time.process_time()
        await look(fleet, windows, now)
        spent.append(time.process_time() - cpu)
        sizes.append(process.memory_info().rss / 1e6)
        if minute % 15 == 0:
            print(f"minute {minute:4}: {spent[-1]:6.2f} s of CPU, {sizes[-1]:7.1f} MB", flush=True)
    await monitors.close()
    found = [deployment.condition() for deployment in fleet]
    wrong = sum(
        told != (("True", "Drifted") if deployment.drifted else ("False", "AsBefore"))
        for told, deployment in zip(found, fleet, strict=True)
    )
    took = time.process_time() - cpu_begun
    report.at_most("watch-dearest-minute-cpu-s", max(spent), MOST_SECONDS)
    report.info("watch-median-minute-cpu-s", median(spent))
    report.info("watch-deployment-cpu-ms", 1e3 * took / (minutes * count))
    report.info("watch-wall-share", (time.monotonic() - begun) / (minutes * MINUTE))
    report.at_most("watch-wrongly-told", wrong, 0)
    report.info("watch-mb", sizes[-1])
    report.at_most("watch-memory-growth", sizes[-1] / sizes[min(30, minutes // 2)], MOST_GROWTH)


async def look(fleet: list[Watched], windows: Windows, now: datetime) -> None:
    """At all of them, by as many workers as the operator has."""
    left = iter(fleet)

    async def work() -> None:
        for deployment in left:
            await deployment.look(windows, now)

    await asyncio.gather(*(work() for _ in range(WORKERS)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployments", type=int, default=1000)
    parser.add_argument("--minutes", type=int, default=135)
    options = parser.parse_args()
    report, port = Report(), free_port()
    command = [sys.executable, "-m", "benchmarks.watched_pods", str(port)]
    pods = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert pods.stdout is not None
        pods.stdout.readline()
        asyncio.run(measure(port, options.deployments, options.minutes, report))
    finally:
        pods.terminate()
        pods.wait(30)
    print("\n".join(["", *report.verdicts]))
    return int(report.short)


if __name__ == "__main__":
    sys.exit(main())
