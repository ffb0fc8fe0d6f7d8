"""The road as its user waits for it, on an embedded cluster: from `apply` of a TrainingJob to its
ModelVersion without the time of the fit itself (target: at most 6 s), and requests that fail while
one version replaces another under load (target: none).

The first training of a cluster also pays for cold caches, so the median of five is compared. Each
run has another seed: the same recipe on the same data would train nothing.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.pawl_local import local, made
from pawl.cli.example_data import write_breast_cancer
from pawl.control.kinds import DEPLOYMENTS, PODS, SERVICES, TRAINING_JOBS
from pawl.control.kube import Kube

RUNS = 5
SPEC: dict[str, Any] = {
    "model": "bench",
    "data": {
        "uri": "",
        "task": "binary",
        "target": "diagnosis",
        "positiveLabel": "malignant",
        "idColumns": ["patient_id"],
    },
    "trainer": {
        "sklearn": {
            "estimator": "sklearn.ensemble.HistGradientBoostingClassifier",
            "parameters": {"max_iter": 50},
        }
    },
    "evaluation": {"metrics": ["roc_auc"]},
}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="pawl-bench-") as name:
        folder = Path(name)
        kubeconfig = folder / "k"
        local("up", "--detach", "--data-dir", str(folder / "d"), kubeconfig=kubeconfig)
        try:
            asyncio.run(measure(folder, kubeconfig))
        finally:
            local("down", kubeconfig=kubeconfig)


async def measure(folder: Path, kubeconfig: Path) -> None:
    rows = write_breast_cancer(folder / "data.parquet")
    SPEC["data"]["uri"] = (folder / "data.parquet").as_uri()
    kube = await Kube.connect(str(kubeconfig))
    try:
        overheads = []
        for run in range(RUNS):
            whole, fit = await train(kube, run, folder)
            overheads.append(whole - fit)
            print(f"run {run}: {whole:.2f} s from apply to ModelVersion, {fit:.2f} s of it fitting")
        failed, sent = await replace(kube, rows, folder)
        print(f"replace under load: {sent} requests, {failed} failed")
    finally:
        await kube.close()
    overhead = statistics.median(overheads)
    print(f"RATIO trainingjob-overhead-seconds {overhead:.2f} <=6 {verdict(overhead <= 6)}")
    print(f"RATIO replace-failed-requests {failed} <=0 {verdict(failed == 0 and sent > 100)}")


async def train(kube: Kube, run: int, folder: Path) -> tuple[float, float]:
    """(seconds until the ModelVersion, seconds of the fit)."""
    name = f"bench-{run}"
    begun = time.monotonic()
    await kube.create(TRAINING_JOBS, made("TrainingJob", name, {**SPEC, "seed": run}))
    while True:
        item = await kube.get(TRAINING_JOBS, "default", name)
        phase = (item or {}).get("status", {}).get("phase")
        if phase == "Succeeded":
            return time.monotonic() - begun, fit_seconds(folder, name)
        if phase == "Failed":
            raise SystemExit(f"{name} failed: {item}")
        await asyncio.sleep(0.02)


def fit_seconds(folder: Path, job: str) -> float:
    """As the log of the train stage tells it."""
    out = subprocess.run(
        ["kubectl", "--kubeconfig", str(folder / "k"), "logs", f"job/{job}-r1", "-c", "train"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = [json.loads(line) for line in out.splitlines()]
    return float(next(line["seconds"] for line in lines if line.get("message") == "fitted"))


async def replace(kube: Kube, rows: list[dict[str, Any]], folder: Path) -> tuple[int, int]:
    """(failed, sent) while the newest version replaces a pinned old one, and is replaced again."""
    spec = {"model": "bench", "version": "bench-v1", "replicas": 2}
    await kube.create(DEPLOYMENTS, made("Deployment", "bench", spec))
    await serving(kube, "bench-v1")
    service = await kube.get(SERVICES, "default", "bench")
    assert service is not None
    url = f"http://{service['spec']['clusterIP']}:8080/v2/models/bench/infer"
    stop = asyncio.Event()
    loads = [asyncio.create_task(load(url, rows, stop)) for _ in range(8)]
    for version in ("bench-v2", "bench-v3", "bench-v1"):
        await kube.merge(DEPLOYMENTS, "default", "bench", {"spec": {"version": version}})
        await serving(kube, version)
    stop.set()
    results = await asyncio.gather(*loads)
    return sum(failed for failed, _ in results), sum(sent for _, sent in results)


async def serving(kube: Kube, version: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        item = await kube.get(DEPLOYMENTS, "default", "bench")
        status = (item or {}).get("status", {})
        if status.get("phase") == "Serving" and status["stable"]["name"] == version:
            return
        await asyncio.sleep(0.1)
    pods, _ = await kube.list(PODS, "default")
    raise SystemExit(f"{version} was not served: {status} {[p['status'] for p in pods]}")


async def load(url: str, rows: list[dict[str, Any]], stop: asyncio.Event) -> tuple[int, int]:
    features = [name for name in rows[0] if name not in ("patient_id", "diagnosis")]
    inputs = [{"name": n, "datatype": "FP64", "shape": [1], "data": [rows[0][n]]} for n in features]
    failed = sent = 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        while not stop.is_set():
            sent += 1
            try:
                async with session.post(url, json={"inputs": inputs}) as answer:
                    await answer.read()
                    failed += answer.status != 200
            except (aiohttp.ClientError, TimeoutError):
                failed += 1
            await asyncio.sleep(0.005)
    return failed, sent


def verdict(holds: bool) -> str:
    return "ok" if holds else "SHORT"


if __name__ == "__main__":
    main()
