"""Captured predictions reach the store, with the writer beside the server."""

from __future__ import annotations

from pathlib import Path

import httpx
import models
import pyarrow as pa
import pyarrow.parquet as pq
from harness import Space, eventually, infer


def rows(folder: Path, kind: str) -> pa.Table:
    files = sorted((folder / kind).rglob("*.parquet"))
    return pa.concat_tables([pq.ParquetFile(path).read() for path in files])


def test_predictions_and_truth_are_kept_when_their_pods_have_gone(space: Space):
    version = models.imported(space, "m", 1, models.good())
    capture = {"percent": 100, "uri": "pvc://data/captured", "hash": ["x"], "retention": "90d"}
    space.create("Deployment", "m", {"model": "m", "replicas": 1, "capture": capture})
    space.serving("m", version)
    (pod,) = space.list("Pod", "pawl.dev/role=server")
    names = [container["name"] for container in pod["spec"]["containers"]]
    assert names == ["server", "capture"]
    answers = [infer(space.url("m"), "m", models.body(0.1 * n)).json() for n in range(10)]
    tokens = [answer["parameters"]["feedback"] for answer in answers]
    entries = [{"token": token, "truth": 1} for token in tokens]
    with httpx.Client(timeout=20, trust_env=False) as session:
        told = session.post(f"{space.url('m')}/v2/models/m/feedback", json={"feedback": entries})
    assert told.json()["accepted"] == 10
    space.delete("Deployment", "m")
    eventually(lambda: not space.list("Pod", "pawl.dev/role=server"), "the pods to be gone")
    folder = space.cluster.claim(space.name, "data") / "captured"
    made, truths = rows(folder, "predictions"), rows(folder, "feedback")
    ids = sorted(token[:16] for token in tokens)
    assert sorted(made.column("pawl_id").to_pylist()) == ids
    assert sorted(truths.column("pawl_id").to_pylist()) == ids
    assert all(len(value) == 32 for value in made.column("x").to_pylist())
    (file,) = (folder / "predictions").rglob("*.parquet")
    assert file.name.startswith(pod["metadata"]["name"])
