"""The least that an operator can do: Pawl's Job for every TrainingJob that a watch tells of, by the
client that Pawl has, without looking at it, planning, or telling anything.

    python -m benchmarks.bare_operator KUBECONFIG

Says `ready` on its standard output. What it takes is what Python, TLS and the API server take.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from benchmarks.scale import own_job
from pawl.control.kinds import JOBS, TRAINING_JOBS
from pawl.control.kube import Kube
from pawl.core.manifests.common import metadata

WORKERS = 8


async def work(kube: Kube, asked: asyncio.Queue[Any]) -> None:
    job = own_job("bare")
    while True:
        meta = await asked.get()
        owner = {"kind": TRAINING_JOBS.kind, "metadata": meta}
        labels = job["metadata"]["labels"]
        about = metadata(meta["name"], meta["namespace"], owner, labels)
        await kube.create(JOBS, {**job, "metadata": about})


async def main(kubeconfig: str) -> None:
    kube = await Kube.connect(kubeconfig)
    asked: asyncio.Queue[Any] = asyncio.Queue()
    _, since = await kube.list(TRAINING_JOBS, None)
    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work(kube, asked))
        print("ready", flush=True)
        while True:  # API servers end watches while a CRD settles
            async for event in kube.watch(TRAINING_JOBS, None, since, 600):
                since = event["object"]["metadata"]["resourceVersion"]
                if event["type"] == "ADDED":
                    asked.put_nowait(event["object"]["metadata"])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
