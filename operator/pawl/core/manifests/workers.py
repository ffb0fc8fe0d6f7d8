"""Several pods for one run (`workers`): an Indexed Job, and a headless Service by which its pods
find each other.

Worker 0 is the meeting point: `<Job>-0.<Service>`, port 29500. `train` runs in an init container,
so its pod is not ready meanwhile and the Service names those too (publishNotReadyAddresses). The
variables are those that torchrun (`MASTER_*`, `RANK`, `PET_*`), JAX (`JAX_*`) and XGBoost's tracker
(`DMLC_*`) go by.
"""

from __future__ import annotations

from typing import Any

from pawl import constants as c
from pawl.api.names import child_name
from pawl.core.manifests import common

PORT = 29500
_INDEX = {
    "fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}
}


def service_name(job_name: str) -> str:
    """Of a TrainingJob's workers, of all runs."""
    return child_name(job_name, "workers")


def build_service(owner: dict[str, Any]) -> dict[str, Any]:
    """The Service in whose domain the workers of a TrainingJob have their names."""
    meta = owner["metadata"]
    labels = {c.LABEL_TRAINING_JOB: meta["name"], c.LABEL_ROLE: c.ROLE_TRAINER}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": common.metadata(service_name(meta["name"]), meta["namespace"], owner, labels),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": labels,
            "ports": [{"name": "rendezvous", "port": PORT, "protocol": "TCP"}],
        },
    }


def spread(job: dict[str, Any], workers: int, service: str) -> None:
    """Makes the Job of one pod one of so many. It fails with the first pod that does: the others
    would wait for it (`core.attempts`)."""
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    spec |= {
        "completionMode": "Indexed",
        "completions": workers,
        "parallelism": workers,
        "backoffLimit": 0,
    }
    spec["podFailurePolicy"]["rules"][0]["action"] = "FailJob"  # disruption
    pod["subdomain"] = service
    train = next(stage for stage in pod["initContainers"] if stage["name"] == "train")
    meeting = f"{job['metadata']['name']}-0.{service}"
    train["env"] = [*_rendezvous(meeting, workers), *train["env"]]  # the user's come last


def _rendezvous(host: str, workers: int) -> list[dict[str, Any]]:
    count, port = str(workers), str(PORT)
    ranks = ("RANK", "PET_NODE_RANK", "JAX_PROCESS_ID", "DMLC_TASK_ID")
    return [
        *({"name": name, "valueFrom": _INDEX} for name in ranks),
        *common.env(
            WORLD_SIZE=count,
            LOCAL_RANK="0",
            MASTER_ADDR=host,
            MASTER_PORT=port,
            PET_NNODES=count,
            PET_MASTER_ADDR=host,
            PET_MASTER_PORT=port,
            JAX_COORDINATOR_ADDRESS=f"{host}:{port}",
            JAX_NUM_PROCESSES=count,
            DMLC_TRACKER_URI=host,
            DMLC_TRACKER_PORT=port,
            DMLC_NUM_WORKER=count,
        ),
    ]
