"""The least that an operator can do: a ConfigMap and a Job for every TrainingJob that a watch tells
of, by the client that Pawl has, without looking at it, planning, or telling anything.

    python -m benchmarks.bare_operator KUBECONFIG

Says `ready` on its standard output. What it takes is what Python, TLS and the API server take.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from benchmarks.scale import plain_job
from pawl.control.kinds import CONFIG_MAPS, JOBS, TRAINING_JOBS
from pawl.control.kube import Kube

WORKERS = 8
#: Bytes of a run's ConfigMap, about.
CONFIG = "x" * 1500


async def work(kube: Kube, asked: asyncio.Queue[Any]) -> None:
    while True:
        meta = await asked.get()
        about = {"name": meta["name"], "namespace": meta["namespace"]}
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": {"a": CONFIG}}
        await kube.create(CONFIG_MAPS, config)
        job = plain_job(meta["name"])
        job["metadata"] = about
        await kube.create(JOBS, job)


async def main(kubeconfig: str) -> None:
    kube = await Kube.connect(kubeconfig)
    asked: asyncio.Queue[Any] = asyncio.Queue()
    _, since = await kube.list(TRAINING_JOBS, None)
    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work(kube, asked))
        print("ready", flush=True)
        async for event in kube.watch(TRAINING_JOBS, None, since, 600):
            if event["type"] == "ADDED":
                asked.put_nowait(event["object"]["metadata"])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
