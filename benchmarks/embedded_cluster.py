"""The embedded cluster: start, memory, lists, watches and applies, on this machine, in one run.

    python benchmarks/embedded_cluster.py [--objects 1000] [--watchers 20] [--changes 300]

Starts a cluster with `pawl local up --no-operator` (all controllers, the node, DNS and the service
proxy run in it), and talks to it as clients do: HTTPS, JSON, a bearer token. Client and cluster
share the machine's cores.

Prints one line per figure: `RATIO <name> <measured> <target> ok|SHORT`; exit code 1 when one is
SHORT. Targets, and why:

    start_seconds    ≤ 2     from the command to its return (median of three); what a developer
                             waits for
    idle_mb          ≤ 150   resident memory of the cluster's process after start
    list_ms          ≤ 100   median list of all objects: an informer's relist goes unnoticed
    watch_p50_ms     ≤ 15    from sending a change until the last of all watchers has seen it, at
    watch_p99_ms     ≤ 100   a steady 50 changes per second: control loops feel immediate
    create_per_s     ≥ 300   POST of ConfigMaps, 8 at a time: 1,000 objects in a few seconds
    apply_per_s      ≥ 200   server-side apply that changes a field, 8 at a time: a large
                             kustomization is applied within seconds
    loaded_mb        ≤ 250   resident memory with the objects, the watchers and all of the above
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import yaml

COLLECTION = "/api/v1/namespaces/default/configmaps"
STARTS = 3
CHANGES_PER_SECOND = 50
IN_FLIGHT = 8
APPLY = {"Content-Type": "application/apply-patch+yaml"}


@dataclass
class Report:
    short: bool = False
    lines: list[str] = field(default_factory=list)

    def at_most(self, name: str, measured: float, target: float) -> None:
        self._add(name, measured, target, ok=measured <= target)

    def at_least(self, name: str, measured: float, target: float) -> None:
        self._add(name, measured, target, ok=measured >= target)

    def _add(self, name: str, measured: float, target: float, *, ok: bool) -> None:
        self.short = self.short or not ok
        self.lines.append(f"RATIO {name} {measured:.4g} {target:g} {'ok' if ok else 'SHORT'}")


@dataclass
class Cluster:
    kubeconfig: Path

    def up(self) -> float:
        """Seconds until the command returned."""
        begin = time.perf_counter()
        self._pawl("up", "--detach", "--no-operator")
        return time.perf_counter() - begin

    def down(self) -> None:
        self._pawl("down")

    def _pawl(self, verb: str, *options: str) -> None:
        command = [sys.executable, "-m", "pawl", "local", verb, *options]
        subprocess.run(
            [*command, "--kubeconfig", str(self.kubeconfig)],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def resident_mb(self) -> float:
        running = self.kubeconfig.with_name(self.kubeconfig.name + ".data") / "cluster.json"
        process = psutil.Process(json.loads(running.read_text())["pid"])
        return process.memory_info().rss / 2**20

    @asynccontextmanager
    async def client(self) -> AsyncIterator[aiohttp.ClientSession]:
        config = yaml.safe_load(self.kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=authority), limit=0)
        headers = {"Authorization": f"Bearer {user['token']}"}
        async with aiohttp.ClientSession(
            cluster["server"], connector=connector, headers=headers, raise_for_status=True,
            timeout=aiohttp.ClientTimeout(total=None), read_bufsize=2**22,
        ) as session:  # fmt: skip
            yield session


def config_map(number: int) -> dict[str, Any]:
    """About 1 KB."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"bench-{number:05d}", "labels": {"app": "bench"}},
        "data": {"payload": "x" * 800, "revision": "0"},
    }


async def rate(count: int, call: Callable[[int], Awaitable[None]]) -> float:
    """Calls per second, IN_FLIGHT at a time."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await call(number)

    begin = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return count / (time.perf_counter() - begin)


async def creates(session: aiohttp.ClientSession, count: int) -> float:
    async def create(number: int) -> None:
        async with session.post(COLLECTION, json=config_map(number)) as answer:
            await answer.read()

    return await rate(count, create)


async def applies(session: aiohttp.ClientSession, count: int) -> float:
    async def apply(number: int) -> None:
        body = config_map(number)
        body["data"]["revision"] = "applied"
        url = f"{COLLECTION}/{body['metadata']['name']}?fieldManager=bench&force=true"
        async with session.patch(url, json=body, headers=APPLY) as answer:
            await answer.read()

    return await rate(count, apply)


async def lists(session: aiohttp.ClientSession, count: int) -> float:
    """Median milliseconds of a list of everything."""
    taken = []
    for _ in range(20):
        begin = time.perf_counter()
        async with session.get(COLLECTION) as answer:
            body = await answer.read()
        taken.append((time.perf_counter() - begin) * 1000)
    found = sum(item["metadata"]["name"].startswith("bench-") for item in json.loads(body)["items"])
    if found != count:
        raise SystemExit(f"the list has {found} objects, not {count}")
    return statistics.median(taken)


class Watchers:
    """Watches that note when each change arrived; a change is told by its `revision`."""

    def __init__(self, session: aiohttp.ClientSession, count: int) -> None:
        self._session = session
        self._count = count
        self._seen: dict[str, int] = {}
        self.complete: dict[str, float] = {}  # revision -> when the last watcher saw it
        self.done = asyncio.Event()
        self.wanted = 0

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        async with self._session.get(COLLECTION, params={"limit": "1"}) as answer:
            since = (await answer.json())["metadata"]["resourceVersion"]
        query = {"watch": "true", "resourceVersion": since, "allowWatchBookmarks": "true"}
        answers = [await self._session.get(COLLECTION, params=query) for _ in range(self._count)]
        tasks = [asyncio.create_task(self._read(answer)) for answer in answers]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for answer in answers:
                answer.close()

    async def _read(self, answer: aiohttp.ClientResponse) -> None:
        async for line in answer.content:
            now = time.perf_counter()
            revision = json.loads(line)["object"].get("data", {}).get("revision", "")
            seen = self._seen[revision] = self._seen.get(revision, 0) + 1
            if seen == self._count:
                self.complete[revision] = now
                if len(self.complete) >= self.wanted:
                    self.done.set()


async def watch_latencies(
    session: aiohttp.ClientSession, watchers: int, changes: int
) -> Sequence[float]:
    """Milliseconds from sending a change until the last watcher has seen it, sorted."""
    watching = Watchers(session, watchers)
    watching.wanted = changes
    sent: dict[str, float] = {}
    headers = {"Content-Type": "application/merge-patch+json"}

    async def change(number: int) -> None:
        revision = f"watch-{number}"
        body = {"data": {"revision": revision}}
        sent[revision] = time.perf_counter()
        url = f"{COLLECTION}/bench-{number % 100:05d}"
        async with session.patch(url, data=json.dumps(body), headers=headers) as answer:
            await answer.read()

    async with watching.watching():
        begin = time.perf_counter()
        pending = []
        for number in range(changes):
            await asyncio.sleep(max(begin + number / CHANGES_PER_SECOND - time.perf_counter(), 0))
            pending.append(asyncio.create_task(change(number)))
        await asyncio.gather(*pending)
        async with asyncio.timeout(30):
            await watching.done.wait()
    return sorted((watching.complete[r] - sent[r]) * 1000 for r in sent)


async def measure(cluster: Cluster, arguments: argparse.Namespace, report: Report) -> None:
    async with cluster.client() as session:
        created = await creates(session, arguments.objects)
        listed = await lists(session, arguments.objects)
        taken = await watch_latencies(session, arguments.watchers, arguments.changes)
        applied = await applies(session, arguments.objects)
    report.at_most("list_ms", listed, 100)
    report.at_most("watch_p50_ms", taken[len(taken) // 2], 15)
    report.at_most("watch_p99_ms", taken[int(len(taken) * 0.99)], 100)
    report.at_least("create_per_s", created, 300)
    report.at_least("apply_per_s", applied, 200)
    report.at_most("loaded_mb", cluster.resident_mb(), 250)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--watchers", type=int, default=20)
    parser.add_argument("--changes", type=int, default=300)
    arguments = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder) / "kubeconfig")
        starts = []
        for number in range(STARTS):
            starts.append(cluster.up())
            if number < STARTS - 1:
                cluster.down()
        try:
            report.at_most("start_seconds", statistics.median(starts), 2)
            time.sleep(3)  # what start-up left behind is collected
            report.at_most("idle_mb", cluster.resident_mb(), 150)
            asyncio.run(measure(cluster, arguments, report))
        finally:
            cluster.down()
    print(f"{arguments.objects} objects, {arguments.watchers} watchers, starts {starts}")
    print("\n".join(report.lines))
    return 1 if report.short else 0


if __name__ == "__main__":
    sys.exit(main())
