"""A fit that is interrupted goes on from its checkpoint."""

from __future__ import annotations

from typing import Any

import pytest
import recipes
from harness import Space, eventually

PODS = "pawl.dev/training-job=long"
#: Counts to 600, or goes on where it was stopped and is soon there; tells how far it is.
TRAIN = """
import json, os, pathlib, signal, sys, time

kept = pathlib.Path(os.environ["PAWL_CHECKPOINT_DIR"]) / "step"
begun = step = int(kept.read_text()) if kept.exists() else 0

def stop(*_):
    half = kept.with_suffix(".part")
    half.write_text(str(step))
    half.rename(kept)
    sys.exit(143)

signal.signal(signal.SIGTERM, stop)
while step < 600 and not begun:
    step += 1
    print(json.dumps({"pawl": "progress", "percent": step / 6}), flush=True)
    time.sleep(0.1)
print(f"begun at {begun}", flush=True)
""" + recipes.logistic("-0.01")


def pods(space: Space) -> list[dict[str, Any]]:
    return space.list("Pod", PODS)


@pytest.mark.parametrize(
    "checkpoints",
    [pytest.param({"claim": "data"}, id="claim"), pytest.param({"store": {}}, id="store")],
)
def test_an_evicted_fit_goes_on_from_its_checkpoint(space: Space, checkpoints: dict[str, Any]):
    uri = space.put("cancer.parquet", recipes.cancer())
    container = {"image": "pawl/trainer:0.1.0", "command": ["python", "-c", TRAIN]}
    template = {"checkpoints": checkpoints, "terminationGracePeriodSeconds": 20}
    spec = recipes.sklearn_job(
        uri, trainer={"container": container}, template=template, backoffLimit=0
    )
    space.create("TrainingJob", "long", spec)
    space.until("TrainingJob", "long", lambda s: 30 < (s.get("progress") or 0) < 75)
    (first,) = pods(space)
    name = first["metadata"]["name"]
    space.evict(name)
    eventually(lambda: all(p["metadata"]["name"] != name for p in pods(space)), "another pod")
    space.trained("long")
    (second,) = pods(space)
    log = space.cluster.kubectl("logs", "-n", space.name, second["metadata"]["name"], "-c", "train")
    assert int(log.split("begun at ")[1]) > 0
    uid = (space.get("TrainingJob", "long") or {})["metadata"]["uid"]
    assert list(space.cluster.claim(space.name, "data").glob("*/step")) == []
    left = (space.cluster.store / f"runs/{uid}-1/checkpoints").rglob("*")
    assert [path for path in left if path.is_file()] == []
