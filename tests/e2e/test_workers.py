"""A run of several workers: they meet, one publishes, all begin anew when one fails."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import recipes
import yaml
from clusters import EmbeddedCluster
from harness import Space, eventually

EXAMPLE = Path(__file__).parents[2] / "manifests/examples/distributed"

PODS = "pawl.dev/training-job=spread"


def spread(space: Space, **changes: Any) -> dict[str, Any]:
    """Two workers that sum their gradients (`allreduce.py`)."""
    uri = space.put("cancer.parquet", recipes.cancer())
    script = Path(__file__).with_name("allreduce.py").read_text()
    container = {
        "image": "pawl/trainer:0.1.0",
        "command": ["python", "-c", script],
        **changes.pop("container", {}),
    }
    return recipes.sklearn_job(uri, trainer={"container": container}, workers=2, **changes)


def said(space: Space) -> list[dict[str, int]]:
    """The last line of each worker, worker 0 first."""
    names = [pod["metadata"]["name"] for pod in space.list("Pod", PODS)]
    logs = (space.cluster.kubectl("logs", "-n", space.name, n, "-c", "train") for n in names)
    return sorted((json.loads(log.splitlines()[-1]) for log in logs), key=lambda line: line["rank"])


def test_workers_meet_and_worker_0_publishes(space: Space):
    space.create("TrainingJob", "spread", spread(space))
    version = space.trained("spread")
    lines = said(space)
    assert [line["rank"] for line in lines] == [0, 1]
    assert {line["rows"] for line in lines} == {sum(line["own"] for line in lines)}
    metrics = (space.get("ModelVersion", version) or {})["spec"]["metrics"]
    assert metrics["roc_auc"] > 0.95
    (job,) = space.list("Job", PODS)
    assert job["status"]["succeeded"] == 2


def test_when_one_fails_all_begin_anew(space: Space):
    changes = {"container": {"parameters": {"stumble": True}}, "backoffLimit": 1}
    space.create("TrainingJob", "spread", spread(space, **changes))
    space.trained("spread")
    told = space.told("spread", "AttemptFailed")
    assert "attempt 1: worker " in told
    (job,) = space.list("Job", PODS)
    assert job["metadata"]["name"] == "spread-r1-a2"
    assert job["status"]["succeeded"] == 2


def test_when_one_is_evicted_all_begin_anew_and_no_attempt_is_counted(space: Space):
    changes = {"container": {"parameters": {"linger": True}}, "backoffLimit": 0}
    space.create("TrainingJob", "spread", spread(space, **changes))
    eventually(lambda: len(training(space)) == 2, "two workers that train")
    space.evict(training(space)[1])
    space.trained("spread")
    (job,) = space.list("Job", PODS)
    assert job["metadata"]["name"] == "spread-r1-a2"
    assert job["metadata"]["annotations"]["pawl.dev/failures"] == "0"


def training(space: Space) -> list[str]:
    """Pods in which train runs."""
    return sorted(
        pod["metadata"]["name"]
        for pod in space.list("Pod", PODS)
        for container in pod["status"].get("initContainerStatuses") or ()
        if container["name"] == "train" and container["state"].get("running")
    )


def torch_image(space: Space) -> str:
    """An image with PyTorch: on the embedded cluster this Python, if it has it."""
    image = os.environ.get("PAWL_TORCH_IMAGE")
    if image:
        return image
    if not isinstance(space.cluster, EmbeddedCluster):
        pytest.skip("PAWL_TORCH_IMAGE names no image with torch, numpy, pyarrow and onnx")
    if importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed (make torch)")
    return "pawl/trainer:0.1.0"


def test_the_example_trains_with_pytorch_across_two_pods(space: Space):
    image = torch_image(space)
    spec = yaml.safe_load((EXAMPLE / "trainingjob.yaml").read_text())["spec"]
    spec["data"] |= {
        "uri": space.put("cancer.parquet", recipes.cancer()),
        "idColumns": ["patient"],
    }
    with socket.socket() as probe:  # pods of the embedded cluster share the ports of this machine
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    env = [{"name": "MASTER_PORT", "value": str(port)}]
    spec["trainer"]["container"] |= {"image": image, "env": env}
    source = f"--from-file={EXAMPLE / 'train.py'}"
    space.cluster.kubectl("create", "configmap", "distributed", "-n", space.name, source)
    space.create("TrainingJob", "spread", spec)
    version = space.trained("spread")
    lines = said(space)
    assert [line["rank"] for line in lines] == [0, 1]
    assert abs(lines[0]["rows"] - lines[1]["rows"]) <= 1
    metrics = (space.get("ModelVersion", version) or {})["spec"]["metrics"]
    assert metrics["roc_auc"] > 0.95
