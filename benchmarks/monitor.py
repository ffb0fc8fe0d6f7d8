"""What it costs to count what a model of 60 columns sees, all of them in the baseline.

    python -m benchmarks.monitor [--seconds 2] [--rounds 9]

`monitor-us-per-row`: microseconds of CPU for a row, from the answer until it is in its cells, in
batches of 32 requests of one row, each decoded from JSON just before. The quickest of the rounds
for each batch, because other work on the machine only adds. `…-half-categories`: 30 of the columns
are categories, `…-all-categories`: all; each has 20 names of 5 to 15 letters.

`monitor-throughput-share`: how much of the requests per second at 32 connections a server with its
whole monitor loses to one without. The two in turn, the median of the rounds.

`capture-throughput-share`: how much of it is lost to capture of every row, which is more than who
samples pays; `capture-dropped-share`: of the rows, under that load; `capture-store-down-p99`: the
99th percentile of the latency with a full spool over that without capture.

Prints `RATIO <name> <measured> <target> ok|SHORT` (at most the target), or `INFO <name>
<measured>`. Exit code 1 when one is SHORT.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import process_time
from urllib.parse import urljoin

import numpy as np
import orjson

from benchmarks.serving import MAX_RESIDENT_MB, Bench, Report, Server
from benchmarks.serving_peers import bundles, load, model, targets
from benchmarks.serving_peers.running import free_port
from pawl.artifacts.records import Signature, Tensor
from pawl.capture import spool
from pawl.serving.codec.base import Predictions, Rows, join
from pawl.serving.monitor.cells import Layout, layout_of
from pawl.serving.monitor.features import Features
from pawl.serving.monitor.memory import Memory
from pawl.serving.monitor.steps import Steps
from pawl.stats.metrics import Answers
from pawl.training import baseline
from pawl.training.features import Matrix

MAX_MICROSECONDS, MAX_SHARE = 3.0, 0.10
#: A row of 60 numbers becomes text a second time; who samples a tenth pays a tenth of it.
MAX_CAPTURE_SHARE, MAX_DROPPED, MAX_SLOWER = 0.20, 0.0, 1.25
#: Bytes; more than a spool may hold.
FULL = 1 << 30
BATCH, REQUESTS = 32, 4096


class Job:
    """A scored request of one row."""

    group = None

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.request = self


def laid_out(numbers: np.ndarray, categories: np.ndarray, scores: np.ndarray) -> Layout:
    """What is counted of these columns, with themselves as the baseline."""
    numeric = tuple(f"n{i}" for i in range(numbers.shape[1]))
    categorical = tuple(f"c{i}" for i in range(categories.shape[1]))
    signature = Signature(
        task="binary",
        inputs=tuple(
            Tensor(name=name, datatype="FP64", shape=(-1,)) for name in numeric + categorical
        ),
        outputs=(Tensor(name="probabilities", datatype="FP64", shape=(-1, 2)),),
        numeric=numeric,
        categorical=categorical,
        classes=(0, 1),
    )
    answers = Answers(
        labels=(scores >= 0.5).astype(int), scores=np.column_stack([1 - scores, scores])
    )
    found = baseline.build(
        Matrix(numbers, categories, numeric, categorical), answers, "binary", (0, 1)
    )
    return layout_of(signature, found, "numeric")


def watched(numbers: np.ndarray, categories: np.ndarray, scores: np.ndarray) -> Features:
    """What counts rows of these columns, with themselves as the baseline."""
    layout = laid_out(numbers, categories, scores)
    return Features(layout, Steps(Memory(), layout.width, layout.fine))


def microseconds(numeric: int, rounds: int) -> float:
    """For a row of 60 columns, so many of them numbers."""
    random = np.random.default_rng(0)
    features, _ = model.rows(wide=True)
    chosen = features[random.integers(len(features), size=REQUESTS)]
    numbers = np.ascontiguousarray(chosen[:, :numeric])
    names = np.array(["kind" + kind % 10 * "-" + str(kind) for kind in range(20)], dtype=object)
    kinds = names[random.integers(20, size=(REQUESTS, 60 - numeric))]
    scores = random.uniform(size=REQUESTS)
    counting = watched(numbers, kinds, scores)
    bodies = [
        orjson.dumps([part.tolist(), texts.tolist()])
        for part, texts in zip(_parts(numbers), _parts(kinds), strict=True)
    ]
    said = [
        Predictions(part.tolist(), [int(score >= 0.5) for score in part]) for part in _parts(scores)
    ]
    spent = [_round(counting, bodies, said, 60 * round_) for round_ in range(rounds)]
    return float(1e6 * np.min(spent, axis=0).sum() / REQUESTS)


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return np.split(rows, REQUESTS // BATCH)


def _decoded(body: bytes) -> list[Job]:
    """Every request with values of its own."""
    jobs = []
    for row, names in zip(*orjson.loads(body), strict=True):
        feed = {"numeric": np.array([row])}
        if names:
            feed["categorical"] = np.array([names], dtype=object)
        jobs.append(Job(Rows(feed, 1)))
    return jobs


def _round(
    counting: Features, bodies: list[bytes], said: Sequence[Predictions], second: int
) -> list[float]:
    """Seconds of CPU for each batch, and for the last counting."""
    spent = []
    for body, predictions in zip(bodies, said, strict=True):
        jobs = _decoded(body)
        feed = join([job.rows.feed for job in jobs])
        start = process_time()
        counting.answered(jobs, feed, predictions, BATCH, second)
        spent.append(process_time() - start)
    start = process_time()
    counting.flush(second)
    return [*spent, process_time() - start]


def share(bench: Bench, store: Path) -> None:
    """A server with its monitor against one without."""
    env = bundles.write(store, "gb", wide=True)
    with ExitStack() as stack:
        servers = []
        for name, more in (("monitor", {"PAWL_MONITOR_PORT": str(free_port())}), ("off", {})):
            port = free_port()
            target = replace(targets.pawl({**env, **more}, port, bench.row), name=f"pawl {name}")
            servers.append(bench.start(stack, target, "gb", port, bench.expected["gb"]))
        watching, off = servers
        left = bench.ratio(watching, off, "gb", 32, routed=True)
        bench.report.at_most("monitor-throughput-share", 1 - left, MAX_SHARE)
        megabytes = watching.running.resident_mb()
        bench.report.at_most("monitor-resident-mb", megabytes, MAX_RESIDENT_MB)


def capture(bench: Bench, store: Path) -> None:
    """A server that captures every row against one that captures none, both with their monitors;
    then the same with a spool that nothing more fits into, as when the store is down."""
    env = bundles.write(store, "gb", wide=True)
    folder = bench.folder / "spool"
    capturing = {"PAWL_CAPTURE": '{"percent": 100}', "PAWL_CAPTURE_DIR": str(folder)}
    with ExitStack() as stack:
        servers = []
        for name, more in (("capture", capturing), ("no capture", {})):
            port = free_port()
            watched = {**env, **more, "PAWL_MONITOR_PORT": str(free_port())}
            target = replace(targets.pawl(watched, port, bench.row), name=f"pawl {name}")
            servers.append(bench.start(stack, target, "gb", port, bench.expected["gb"]))
        on, off = servers
        one = replace(bench, rounds=1)
        left = []
        for _ in range(bench.rounds):
            left.append(one.ratio(on, off, "gb", 32, routed=True))
            _take(folder)
        bench.report.at_most("capture-throughput-share", 1 - median(left), MAX_CAPTURE_SHARE)
        bench.report.at_most("capture-dropped-share", _dropped(on), MAX_DROPPED)
        with (folder / "predictions.waiting.rows").open("wb") as file:
            file.truncate(FULL)
        slower = [_p99(bench, on) / _p99(bench, off) for _ in range(bench.rounds)]
        bench.report.at_most("capture-store-down-p99", median(slower), MAX_SLOWER)


def _p99(bench: Bench, server: Server) -> float:
    result = load.measure(server.running.url, server.target.body, 32, bench.seconds, routed=True)
    bench.report.show(server.target.name, "gb", 32, result)
    return result.p99


def _take(folder: Path) -> None:
    """As the writer does: segments that are finished go."""
    for path in spool.names(folder):
        with spool.claim(path) as file:
            if file is not None:
                path.unlink()


def _dropped(server: Server) -> float:
    """The share of the rows that found no room."""
    url = urljoin(server.running.url, "/metrics")
    with urllib.request.urlopen(url, timeout=10) as answer:
        lines = [line.rpartition(" ") for line in answer.read().decode().splitlines()]
    dropped, written = (
        sum(
            float(value)
            for name, _, value in lines
            if name.startswith(f"pawl_capture_{kind}_total")
        )
        for kind in ("dropped", "rows")
    )
    return dropped / max(1.0, dropped + written)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=2, help="per measurement")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    report = Report()
    for name, numeric in (("", 60), ("-half-categories", 30), ("-all-categories", 0)):
        found = microseconds(numeric, options.rounds)
        report.at_most(f"monitor-us-per-row{name}", found, MAX_MICROSECONDS)
    print(f"load by {load.generator()}", flush=True)
    features, _ = model.rows(wide=True)
    expected = float(model.pipeline("gb", wide=True).predict_proba(features[:1])[0, 1])
    with tempfile.TemporaryDirectory(prefix="pawl-bench-") as name:
        folder, row = Path(name), features[0].tolist()
        bench = Bench(folder, options.seconds, options.rounds, row, {"gb": expected}, report)
        share(bench, folder / "store")
        capture(bench, folder / "store")
    print("\n".join(["", *report.verdicts]))
    return int(report.short)


if __name__ == "__main__":
    sys.exit(main())
