"""What a Prometheus says of drift is what the pods say: an hour of three pods, one of which begins
late, one ends early and one begins anew, scraped often and seldom."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from pawl.artifacts.records import CategoryBaseline, NumericBaseline
from pawl.control.baselines import Baselines
from pawl.control.features import Described, Steps, parse_layout
from pawl.control.prometheus import Prometheus
from pawl.control.series import Series, risen
from pawl.control.windows import Windows
from pawl.core.watch import DriftObserved
from pawl.serving.monitor.cells import CategoryPart, Layout, NumericPart
from pawl.serving.monitor.exposition import lines
from pawl.stats.drift.decision import Finding, Rule, judge

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None or shutil.which("prometheus") is None,
    reason="needs prometheus and promtool (Debian package prometheus)",
)
#: The window of an hour; what was there before it was counted too.
HOUR, BEFORE = 3600, 900
START = (int(time.time()) // HOUR - 4) * HOUR
TICK, ROWS = 5, 3
#: Features by how far their mix is from an even one.
SHIFTS = {"age": 0.0, "income": 0.35, "balance": 0.8, "bursty": 0.0, "plan": 0.5, "prediction": 0.4}
SCRAPES = {"often": 15, "seldom": 60}


def even(name: str) -> NumericBaseline:
    """Ten bins with 1,000 rows each."""
    edges = tuple(float(edge) for edge in range(1, 10))
    return NumericBaseline(
        name=name, edges=edges, counts=(1000,) * 10, fine_edges=edges, fine_counts=(1000,) * 10,
        fine_sums=(0.0,) * 10, minimum=0.0, maximum=10.0, missing=100,
    )  # fmt: skip


def layout() -> Layout:
    numeric = [n for n in SHIFTS if n not in ("plan", "prediction")]
    plans = CategoryBaseline(
        name="plan", categories=("basic", 'a "b"', "c\\"), counts=(6000, 3000, 1000), other=50,
        missing=20,
    )  # fmt: skip
    parts = [NumericPart(n, i, even(n), 12 * i, 0) for i, n in enumerate(numeric)]
    last = NumericPart("prediction", 9, even("prediction"), 12 * len(numeric) + 5, 0)
    every = (*parts, CategoryPart("plan", 0, plans, 12 * len(numeric)), last)
    features = orjson.dumps([part.described() for part in every])
    width = sum(part.cells for part in every)
    return Layout(every[:-1], last, width, features=features, digest="0123456789ab")


LAYOUT = layout()
TOLD = parse_layout(
    orjson.dumps(
        {"format": 1, "model": "churn", "version": 7, "layout": LAYOUT.digest}
        | {"features": orjson.loads(LAYOUT.features)}
    ),
    "churn",
    7,
)


def mix(name: str, bins: int, second: int) -> NDArray[np.float64]:
    """The probability of each bin; of `bursty` another one in every minute."""
    turn = np.random.default_rng(second // 60).normal() if name == "bursty" else SHIFTS[name]
    weights = np.exp(turn * np.linspace(-1, 1, bins))
    return np.asarray(weights / weights.sum())


def tick(second: int, rng: np.random.Generator) -> NDArray[np.uint32]:
    """What one pod counts in a few seconds."""
    counts = [
        [*rng.multinomial(ROWS, mix(part.name, part.cells - 2, second)), 0, 0]
        for part in LAYOUT.every
    ]
    return np.concatenate(counts).astype(np.uint32)


@dataclass(frozen=True)
class Pod:
    """Lives for some seconds of the hour; at `restart` its counters are 0 again."""

    name: str
    born: int = -BEFORE
    dead: int = HOUR + 120
    restart: int | None = None


PODS = (Pod("a", dead=3000), Pod("b", restart=1510), Pod("c", born=1805))


@dataclass(frozen=True)
class Hour:
    """`counted` is [ticks, cells] of each pod, from BEFORE the hour on."""

    counted: dict[str, NDArray[np.uint32]]

    @classmethod
    def made(cls) -> Hour:
        rng = np.random.default_rng(7)
        seconds = range(-BEFORE, HOUR + 120, TICK)
        return cls(
            {
                pod.name: np.array(
                    [
                        tick(at + BEFORE, rng)  # rows are the same in whatever hour this runs
                        if pod.born <= at < pod.dead
                        else np.zeros(LAYOUT.width, dtype=np.uint32)
                        for at in seconds
                    ]
                )
                for pod in PODS
            }
        )

    def scraped(self, deployment: str, every: int) -> Iterator[str]:
        """What Prometheus reads, with its times."""
        for number, pod in enumerate(PODS):
            target = f'namespace="ml",deployment="{deployment}",version="7",pod="{pod.name}",'
            totals = np.cumsum(self.counted[pod.name], axis=0)
            for at in range(-BEFORE + 3 + 4 * number, HOUR + 120, every):
                if not pod.born <= at < pod.dead:
                    continue
                index = (at + BEFORE) // TICK
                now = totals[index]
                if pod.restart is not None and at >= pod.restart:
                    now = now - totals[(pod.restart + BEFORE) // TICK]
                for line in lines(LAYOUT, now):
                    if "_rows_total{" in line:
                        yield f"{line.replace('{', '{' + target, 1)} {START + at}"


@pytest.fixture(scope="module")
def hour() -> Hour:
    return Hour.made()


@pytest.fixture(scope="module")
def server(hour: Hour, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that has scraped the hour, by its address."""
    folder = tmp_path_factory.mktemp("prometheus")
    samples, data, config = folder / "samples.txt", folder / "data", folder / "prometheus.yml"
    with samples.open("w") as out:
        for deployment, every in SCRAPES.items():
            out.writelines(f"{line}\n" for line in hour.scraped(deployment, every))
        out.write("# EOF\n")
    config.write_text("scrape_configs: []\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(samples), str(data)]
    subprocess.run(command, check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    options = [f"--config.file={config}", f"--storage.tsdb.path={data}"]
    log = folder / "log.txt"
    with (
        log.open("wb") as out_,
        subprocess.Popen(
            ["prometheus", *options, f"--web.listen-address={address}"], stderr=out_, stdout=out_
        ) as process,
    ):
        try:
            _ready(f"http://{address}/-/ready", process, log)
            yield f"http://{address}"
        finally:
            process.terminate()


def _ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"Prometheus is not ready: {log.read_text()[-2000:]}")


class Pods:
    """Tell what they counted themselves."""

    def __init__(self, hour: Hour) -> None:
        self._hour = hour

    async def layout(self, *_: Any) -> Described:
        return TOLD

    async def steps(
        self, _: int, __: Any, begin: int, end: int, step: int, *, fine: bool
    ) -> list[Steps]:
        first, last = ((second - START + BEFORE) // TICK for second in (begin, end))
        shape = ((end - begin) // step, step // TICK, LAYOUT.width)
        return [
            Steps(TOLD.name, begin, step, counted[first:last].reshape(shape).sum(axis=1))
            for counted in self._hour.counted.values()
        ]


async def seen(hour: Hour, url: str, deployment: str, source: str) -> DriftObserved:
    """The hour, as the operator counts it."""
    when = datetime.fromtimestamp(START, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    item = {
        "metadata": {"uid": "u1", "namespace": "ml", "name": deployment},
        "spec": {"drift": {"source": source}},
        "status": {
            "stable": {
                "name": "churn-v7", "version": 7, "uri": "file:///x",
                "digest": "sha256:" + "0" * 64,
            },
            "drift": {"version": "churn-v7", "windowStart": when, "windowEnd": when},
        },
    }  # fmt: skip
    prometheus = Prometheus(url)
    windows = Windows(cast(Any, Pods(hour)), Baselines(cast(Any, None)), Series(prometheus))
    found = None
    try:
        for after in (1230, 2430, 3630):
            now = datetime.fromtimestamp(START + after, UTC)
            found = await windows.observed(item, [], None, now)
    finally:
        await prometheus.close()
    assert found is not None
    assert found.to == START + HOUR
    return found


def findings(found: DriftObserved) -> dict[str, Finding]:
    rules = {feature.name: (Rule(),) for feature in found.layout.features}
    judged = judge(found.window, found.layout, rules, windows=720)
    return {finding.feature: finding for finding in judged}


@pytest.mark.parametrize("deployment", SCRAPES)
async def test_both_sources_find_the_same_drift(hour: Hour, server: str, deployment: str):
    pods = await seen(hour, server, deployment, "Pods")
    scraped = await seen(hour, server, deployment, "Prometheus")
    assert pods.window.rows >= 5000
    assert scraped.window.rows == pytest.approx(pods.window.rows, rel=0.03)
    theirs, ours = findings(scraped), findings(pods)
    assert ours.keys() == SHIFTS.keys()
    for name, finding in ours.items():
        assert abs(theirs[name].value - finding.value) <= 0.01, name
        assert theirs[name].verdict == finding.verdict, name
    failed = {name for name, finding in ours.items() if finding.verdict == "Fail"}
    assert failed == {"balance", "plan"}


async def test_rows_that_come_together_are_seen_through_scrapes_too(hour: Hour, server: str):
    pods = findings(await seen(hour, server, "often", "Pods"))
    scraped = findings(await seen(hour, server, "often", "Prometheus"))
    assert pods["bursty"].effect > 2
    assert scraped["bursty"].effect == pytest.approx(pods["bursty"].effect, rel=0.3)
    assert scraped["age"].effect < 1.5


@pytest.mark.parametrize("step", [10, 60])
async def test_steps_add_up_to_what_was_counted_to_the_row(server: str, step: int):
    counter = 'pawl_feature_rows_total{deployment="seldom",pod="b",feature="age"}'
    prometheus = Prometheus(server)
    try:
        found = await prometheus.ranged(risen(counter, step), START + step, START + 1200, step)
        whole = await prometheus.value(f"sum({counter} @ {START + 1200} - {counter} @ {START})")
    finally:
        await prometheus.close()
    assert whole == sum(value for series in found for _, value in series.values) > 700
