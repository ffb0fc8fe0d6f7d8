"""A thousand TrainingJobs at once: how fast they become Jobs, and what each costs the operator.

    python -m benchmarks.scale [--objects 1000] [--profile FILE]

The operator is the real one, a process of its own that is kept on one core. On a real control
plane (control_plane.py; the directory of binaries in PAWL_KUBE_BIN), in one run:
    plain Jobs are created, 32 requests at a time, until kube-controller-manager has made all of
    their pods: `pods-s`, from the first request to the last pod;
    the same with Jobs as Pawl makes them, of three containers each: `own-pods-s`;
    all TrainingJobs, until a program that does nothing else (bare_operator.py) has made Pawl's Job
    of each: `bare-jobs-s`;
    a tenth of the TrainingJobs, then all, likewise with the operator: `jobs-s`.
The controller manager goes on making pods of those Jobs, and a watch tells of each. How long its
syncs of Jobs take meanwhile (`sync-p99-ms`, at most) is told beside the operator's reconciles.

On the embedded API server (benchmarks/pretence.py: nothing makes pods of Jobs) the same without the
comparison. Cost is CPU time of the operator until it is at rest again, by object.

RATIO lines: jobs-s over pods-s ≤ 1.5; resident memory ≤ 300 MB; 99 % of reconciles ≤ 50 ms; an
object of all costs ≤ 1.3 times what one of a tenth costs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks import pretence
from benchmarks.control_plane import binaries, control_plane
from benchmarks.decisions import Report
from pawl import constants as c
from pawl.api.crds import all_crds
from pawl.control.kinds import OURS, TRAINING_JOBS, Resource
from pawl.control.kube import Kube, KubeError
from pawl.control.settings import from_environment
from pawl.core.plan import Create
from pawl.core.trainingjob import TrainingJobObserved, plan_training_job

IN_FLIGHT = 32
MOST_RATIO, MOST_MB, MOST_MS, MOST_GROWTH = 1.5, 300.0, 50.0, 1.3
LIMIT, REST_SECONDS = 600.0, 3.0
NAMESPACES = Resource("v1", "Namespace", "namespaces", "")
CRDS = Resource("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions")
JOBS, PODS = Resource("batch/v1", "Job", "jobs", ""), Resource("v1", "Pod", "pods", "")
INSTALLATION = from_environment({"PAWL_STORE": "s3://models"}).installation
Object = dict[str, Any]


def plain_job(name: str) -> Object:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "pawl.invalid/x:1"}]}
    spec = {"template": {"spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def own_job(name: str) -> Object:
    """As Pawl makes it of a TrainingJob, but nobody's, so that the operator does not see it."""
    item = training_job(name)
    item["metadata"] |= {"namespace": "", "uid": "", "generation": 1}
    plan = plan_training_job(TrainingJobObserved(item), INSTALLATION, datetime.now(UTC))
    (job,) = (dict(action.object) for action in plan.actions if isinstance(action, Create))
    for labelled in (job, job["spec"]["template"]):
        del labelled["metadata"]["labels"][c.LABEL_MANAGED_BY]
    return job | {"metadata": {"name": name, "labels": job["metadata"]["labels"]}}


def training_job(name: str) -> Object:
    spec = {
        "model": name,
        "data": {"uri": "s3://data/rows.parquet", "task": "binary", "target": "y"},
        "trainer": {"sklearn": {"estimator": "sklearn.tree.DecisionTreeClassifier"}},
    }
    meta = {"name": name}
    return {"apiVersion": c.API_VERSION, "kind": "TrainingJob", "metadata": meta, "spec": spec}


@dataclass(frozen=True)
class Cluster:
    """Where the objects go: a namespace a measurement."""

    kube: Kube
    kubeconfig: Path
    #: Of the controller manager; see ControlPlane.syncs.
    syncs: Callable[[], dict[float, int]] = dict

    async def namespace(self, name: str) -> None:
        await put(self.kube, NAMESPACES, {"metadata": {"name": name}})

    async def until(
        self, namespace: str, make: Callable[[str], Object], made: Resource, count: int
    ) -> float:
        """Seconds from the first of `count` creations until there are as many of `made`."""
        await self.namespace(namespace)
        _, since = await self.kube.list(made, namespace)
        arrived = asyncio.create_task(self._count(made, namespace, since, count))
        begun = time.monotonic()
        numbers = iter(range(count))

        async def create() -> None:
            for number in numbers:
                item = make(f"scale-{number:05d}")
                item["metadata"]["namespace"] = namespace
                kind = TRAINING_JOBS if item["kind"] == "TrainingJob" else JOBS
                await self.kube.create(kind, item)

        await asyncio.gather(*(create() for _ in range(IN_FLIGHT)))
        async with asyncio.timeout(LIMIT):
            await arrived
        return time.monotonic() - begun

    async def clear(self, namespace: str, count: int) -> None:
        """Once all pods are made: its TrainingJobs are no work for the operator."""
        async with asyncio.timeout(LIMIT):
            while len((await self.kube.list(PODS, namespace))[0]) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
        await self.kube._call("delete", TRAINING_JOBS, TRAINING_JOBS.path(namespace))

    async def _count(self, made: Resource, namespace: str, since: str, count: int) -> None:
        missing = count
        async for event in self.kube.watch(made, namespace, since, int(LIMIT)):
            missing -= event["type"] == "ADDED"
            if not missing:
                return


@dataclass(frozen=True)
class Operator:
    """A process that writes down how long its reconciles take."""

    process: psutil.Process
    times: Path

    def cpu(self) -> float:
        spent = self.process.cpu_times()
        return float(spent.user + spent.system)

    async def rest(self) -> float:
        """CPU seconds when it has had next to nothing to do for a while."""
        deadline, spent = time.monotonic() + LIMIT, self.cpu()
        while time.monotonic() < deadline:
            await asyncio.sleep(REST_SECONDS)
            before, spent = spent, self.cpu()
            if spent - before < 0.05 * REST_SECONDS:
                return spent
        raise SystemExit(f"the operator is not at rest after {LIMIT:g} s")

    def reconciles(self, since: float) -> list[float]:
        """Seconds of each, sorted; once it has ended."""
        lines = (line.split(" ") for line in self.times.read_text().splitlines())
        return sorted(float(took) for moment, _, took, _ in lines if float(moment) >= since)


@contextmanager
def operator(folder: Path, kubeconfig: Path, profile: Path | None) -> Iterator[Operator]:
    store = folder / "store"
    store.mkdir()
    times = folder / "times"
    command = [sys.executable, "-m", "benchmarks.timed_operator", str(times)]
    if profile is not None:
        command[1:1] = ["-m", "cProfile", "-o", str(profile)]
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "PAWL_STORE": store.as_uri()}
    started = subprocess.Popen(command, env=environment)
    process = psutil.Process(started.pid)
    process.cpu_affinity([max(process.cpu_affinity())])
    try:
        yield Operator(process, times)
    finally:
        started.terminate()
        started.wait(60)


@asynccontextmanager
async def real(folder: Path, found: dict[str, str]) -> AsyncIterator[Cluster]:
    with control_plane(folder, found) as plane:
        kube = await Kube.connect(str(plane.kubeconfig))
        try:
            for crd in all_crds():
                await put(kube, CRDS, crd)
            for resource in OURS:
                await _served(kube, resource)
            yield Cluster(kube, plane.kubeconfig, plane.syncs)
        finally:
            await kube.close()


async def put(kube: Kube, resource: Resource, item: Object) -> None:
    """Creates an object that is in no namespace."""
    await kube._call("create", resource, resource.path(None), {}, item)


async def _served(kube: Kube, resource: Resource) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await kube.list(resource, None)
            except KubeError:
                await asyncio.sleep(0.1)
            else:
                return


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[Cluster]:
    async with pretence.cluster(folder):
        kube = await Kube.connect(str(folder / "kubeconfig"))
        try:
            yield Cluster(kube, folder / "kubeconfig")
        finally:
            await kube.close()


def sync_p99(before: dict[float, int], after: dict[float, int]) -> float:
    """Of histograms with bounds in seconds: below which 99 % are of what came between them."""
    counts = {bound: count - before.get(bound, 0) for bound, count in after.items()}
    return min(bound for bound, count in counts.items() if count >= 0.99 * max(counts.values()))


async def measure(
    cluster: Cluster, folder: Path, count: int, report: Report, where: str, profile: Path | None
) -> float:
    """Seconds in which all TrainingJobs became Jobs; the rest is told."""
    costs: list[float] = []
    with operator(folder, cluster.kubeconfig, profile) as running:
        for number in (count // 10, count):
            before, since, synced = await running.rest(), time.time(), cluster.syncs()
            took = await cluster.until(f"training-{number}", training_job, JOBS, number)
            costs.append((await running.rest() - before) / number)
            print(f"INFO {where}-jobs-{number}-s {took:.2f}")
            print(f"INFO {where}-cpu-ms-an-object-of-{number} {costs[-1] * 1e3:.1f}", flush=True)
        if synced:
            print(f"INFO {where}-jobs-sync-p99-ms {sync_p99(synced, cluster.syncs()) * 1e3:g}")
        report.at_most(f"{where}-operator-mb", running.process.memory_info().rss / 1e6, MOST_MB)
    reconciles = running.reconciles(since)
    print(f"INFO {where}-reconciles-an-object {len(reconciles) / count:.1f}")
    print(f"INFO {where}-reconcile-p50-ms {reconciles[len(reconciles) // 2] * 1e3:.1f}")
    slowest = reconciles[int(0.99 * len(reconciles))] * 1e3
    report.at_most(f"{where}-reconcile-p99-ms", slowest, MOST_MS)
    report.at_most(f"{where}-cost-growth", costs[1] / costs[0], MOST_GROWTH)
    return took


@contextmanager
def bare(kubeconfig: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.bare_operator", str(kubeconfig)]
    started = subprocess.Popen(command, stdout=subprocess.PIPE)
    process = psutil.Process(started.pid)
    process.cpu_affinity([max(process.cpu_affinity())])
    try:
        assert started.stdout is not None
        started.stdout.readline()
        yield
    finally:
        started.kill()
        started.wait()


async def run(folder: Path, count: int, report: Report, profile: Path | None) -> None:
    found = binaries()
    for where in ("embedded", "real"):
        (folder / where).mkdir()
    if found is None:
        print("INFO real-jobs-over-pods not measured: no binaries (PAWL_KUBE_BIN)")
    else:
        async with real(folder / "real", found) as cluster:
            synced = cluster.syncs()
            pods = await cluster.until("plain", plain_job, PODS, count)
            print(f"INFO real-pods-{count}-s {pods:.2f}", flush=True)
            print(f"INFO real-pods-sync-p99-ms {sync_p99(synced, cluster.syncs()) * 1e3:g}")
            own = await cluster.until("own", own_job, PODS, count)
            print(f"INFO real-own-pods-{count}-s {own:.2f}", flush=True)
            with bare(cluster.kubeconfig):
                least = await cluster.until("bare", training_job, JOBS, count)
            await cluster.clear("bare", count)
            print(f"INFO real-bare-jobs-{count}-s {least:.2f}", flush=True)
            print(f"INFO real-bare-jobs-over-pods {least / pods:.2f}")
            jobs = await measure(cluster, folder / "real", count, report, "real", profile)
            print(f"INFO real-jobs-over-own-pods {jobs / own:.2f}")
            report.at_most("real-jobs-over-pods", jobs / pods, MOST_RATIO)
    async with embedded(folder / "embedded") as cluster:
        await measure(cluster, folder / "embedded", count, report, "embedded", None)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--profile", type=Path, help="of the operator on the real control plane")
    options = parser.parse_args(arguments)
    report = Report()
    with tempfile.TemporaryDirectory(prefix="pawl-bench-") as name:
        asyncio.run(run(Path(name), options.objects, report, options.profile))
    print("\n".join(report.verdicts))
    return 1 if report.short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
