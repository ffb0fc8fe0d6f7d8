"""The Job of a run and the ConfigMap that tells its stages what to do."""

from __future__ import annotations

import json
import re
from typing import Any

from pawl import constants as c
from pawl.api.names import child_name
from pawl.api.quantity import parse
from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.runs import RunConfig, TrialTask
from pawl.core import kueue
from pawl.core.installation import Installation
from pawl.core.manifests import common, template, workers

WORK = "/pawl/work"
CONFIG = "/pawl/run"
CLAIM = "/pawl/claim"
CLAIMS = "/pawl/claims"
#: In the name of the ConfigMap that all trials of a search share.
TRIALS = "trials"
#: OpenMP's, and also read by OpenBLAS, MKL and PyTorch.
_THREADS = "OMP_NUM_THREADS"
_MOST_THREADS = 1024
#: Volumes and variables that a container trainer does not get.
_INTERNAL = ("work", "run", c.ENV_WORK_DIR, c.ENV_RUN_CONFIG)


def run_name(job_name: str, run: int, part: str = "") -> str:
    """Name of a run's Job and ConfigMap, or of a `part` of it: of a search the Job of a trial, or
    the ConfigMap of all; of several workers the Job of an attempt."""
    suffix = f"r{run}-{part}" if part else f"r{run}"
    return child_name(job_name, suffix, limit=52)  # pods add "-" and five characters


def train_threads(spec: TrainingJobSpec) -> int:
    """How many threads `train` computes with: the whole CPUs of its limit, else of its request, at
    least 1; what a container trainer sets itself comes first. Never what a node happens to have:
    sums in another order give other last digits."""
    container = spec.trainer.container
    for variable in container.env if container else ():
        if variable.name == _THREADS and re.fullmatch("[0-9]{1,4}", variable.value):
            return max(1, int(variable.value))
    resources = spec.template.resources
    for amounts in (resources.limits, resources.requests) if resources else ():
        if amounts and "cpu" in amounts:
            try:
                return max(1, min(int(parse(amounts["cpu"])), _MOST_THREADS))
            except ValueError:  # the API server will say so when it sees the Job
                return 1
    return 1


def build_run_config(
    owner: dict[str, Any], config: RunConfig, labels: dict[str, str], trials: str = ""
) -> dict[str, Any]:
    """run.json as a ConfigMap, of a run or of all `trials` of its search."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": common.metadata(
            run_name(config.name, config.run, trials), config.namespace, owner, labels
        ),
        "immutable": True,
        "data": {"run.json": json.dumps(config.model_dump(mode="json", by_alias=True))},
    }


def build_job(
    owner: dict[str, Any],
    spec: TrainingJobSpec,
    run: int,
    labels: dict[str, str],
    installation: Installation,
    task: TrialTask | None = None,
    attempt: str = "",
) -> dict[str, Any]:
    """The Job of a run: prepare and train as init containers, publish as the main one; of a trial
    score in its place. `attempt` is a part of its name."""
    meta = owner["metadata"]
    name = run_name(meta["name"], run, f"t{task.number}" if task else attempt)
    config = run_name(meta["name"], run, TRIALS if task else "")
    folder = f"{meta['uid']}-{run}" + (f"-t{task.number}" if task else "")
    job_spec: dict[str, Any] = {
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": spec.backoff_limit,
        "suspend": spec.suspend,
        "podFailurePolicy": {
            "rules": [
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
                {
                    "action": "FailJob",
                    "onExitCodes": {"operator": "In", "values": [c.EXIT_USER_ERROR]},
                },
                {
                    "action": "FailJob",
                    "onExitCodes": {
                        "containerName": "prepare",
                        "operator": "In",
                        "values": [c.EXIT_NO_NEW_DATA],
                    },
                },
            ]
        },
        "template": {
            "metadata": {"labels": {c.LABEL_MANAGED_BY: "pawl", **labels}},
            "spec": _pod(spec, config, folder, meta["namespace"], installation, task),
        },
    }
    if spec.active_deadline_seconds is not None:
        job_spec["activeDeadlineSeconds"] = spec.active_deadline_seconds
    if spec.ttl_seconds_after_finished is not None and task is None:  # it is read, then deleted
        job_spec["ttlSecondsAfterFinished"] = spec.ttl_seconds_after_finished
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": common.metadata(name, meta["namespace"], owner, labels),
        "spec": job_spec,
    }
    kueue.enqueue(owner, job)
    if spec.workers > 1:
        workers.spread(job, spec.workers, workers.service_name(meta["name"]))
    return job


def _pod(
    spec: TrainingJobSpec,
    config: str,
    folder: str,
    namespace: str,
    installation: Installation,
    task: TrialTask | None,
) -> dict[str, Any]:
    told = common.env(**common.uri_rules(installation, namespace))
    volumes: list[dict[str, Any]] = [
        {"name": "work", "emptyDir": {}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "run", "configMap": {"name": config}},
        *common.store_volumes(installation),
    ]
    prepare = _stage("prepare", installation, store=True)
    train = _train(spec, installation)
    last = _publish(installation) if task is None else _stage("score", installation, store=True)
    for stage in (prepare, last):
        stage["env"] += told
    _mount_claims(spec, prepare, volumes)
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": common.pod_security(),
        "initContainers": [prepare, train],
        "containers": [last],
        "volumes": volumes,
    }
    template.dress(pod, spec.template, folder)
    if task is not None:
        text = task.model_dump_json(by_alias=True).replace("$", "$$")  # nothing is expanded
        told = common.env(**{c.ENV_TRIAL: text})
        for stage in (prepare, last) if spec.trainer.container else (prepare, train, last):
            stage["env"] += told
    return pod


def _mount_claims(
    spec: TrainingJobSpec, prepare: dict[str, Any], volumes: list[dict[str, Any]]
) -> None:
    """The claim of data.uri, and those of the sources that are joined to it."""
    main, *joined = (_claim(uri) for uri in spec.data.uris.values())
    others = sorted({claim for claim in joined if claim is not None} - {main})
    mounts = {CLAIM: ("claim", main)} if main is not None else {}
    mounts |= {f"{CLAIMS}/{claim}": (f"claim-{i}", claim) for i, claim in enumerate(others)}
    for path, (name, claim) in mounts.items():
        volumes.append({"name": name, "persistentVolumeClaim": {"claimName": claim}})
        prepare["volumeMounts"].append({"name": name, "mountPath": path, "readOnly": True})
    if main is not None:
        prepare["env"] += common.env(**{c.ENV_CLAIM_DIR: CLAIM})
    if others:
        prepare["env"] += common.env(**{c.ENV_CLAIMS_DIR: CLAIMS})


def _claim(uri: str) -> str | None:
    return uri.removeprefix("pvc://").split("/", 1)[0] if uri.startswith("pvc://") else None


def _publish(installation: Installation) -> dict[str, Any]:
    publish = _stage("publish", installation, store=True)
    key = {"name": c.SIGNING_SECRET, "key": "key", "optional": True}
    publish["env"] += [{"name": c.ENV_SIGNING_KEY, "valueFrom": {"secretKeyRef": key}}]
    return publish


def _train(spec: TrainingJobSpec, installation: Installation) -> dict[str, Any]:
    train = _stage("train", installation, store=False, threads=train_threads(spec))
    train["env"] += common.env(PAWL_SEED=str(spec.seed))
    trainer = spec.trainer.container
    if trainer is not None:
        # It sees what the file contract says and nothing else: the test rows stay hidden.
        train["volumeMounts"] = [m for m in train["volumeMounts"] if m["name"] not in _INTERNAL]
        train["volumeMounts"] += [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - its programs may know no other
            {"name": "work", "mountPath": f"{WORK}/data", "subPath": "data", "readOnly": True},
            {"name": "work", "mountPath": f"{WORK}/output", "subPath": "output"},
            {
                "name": "work",
                "mountPath": f"{WORK}/parameters.json",
                "subPath": "parameters.json",
                "readOnly": True,
            },
        ]
        train["env"] = [v for v in train["env"] if v["name"] not in _INTERNAL]
        del train["args"]
        train["image"] = trainer.image
        if trainer.command:
            train["command"] = list(trainer.command)
        if trainer.args:
            train["args"] = list(trainer.args)
        train["env"] += [
            {"name": var.name, "value": var.value}
            for var in trainer.env
            if not var.name.startswith("PAWL_")
        ]
    return train


def _stage(
    stage: str, installation: Installation, *, store: bool, threads: int = 1
) -> dict[str, Any]:
    access = common.store_access(installation) if store else {}
    variables = {
        c.ENV_RUN_CONFIG: f"{CONFIG}/run.json",
        c.ENV_WORK_DIR: WORK,
        c.ENV_TERMINATION_LOG: common.TERMINATION_LOG,
        **common.TMP_ENV,
        _THREADS: str(threads),
    }
    if store:
        variables[c.ENV_STORE] = installation.store
    else:
        variables |= {
            c.ENV_DATA_DIR: f"{WORK}/data",
            c.ENV_PARAMETERS: f"{WORK}/parameters.json",
            c.ENV_OUTPUT_DIR: f"{WORK}/output",
        }
    return {
        "name": stage,
        "image": installation.images.trainer,
        "imagePullPolicy": installation.image_pull_policy,
        "args": [stage],
        "env": common.env(**variables),
        **{key: value for key, value in access.items() if key != "volumeMounts"},
        "resources": common.resources(None, cpu="100m", memory="256Mi"),
        "securityContext": common.container_security(),
        "terminationMessagePath": common.TERMINATION_LOG,
        "terminationMessagePolicy": "File",
        "volumeMounts": [
            {"name": "work", "mountPath": WORK},
            {"name": "run", "mountPath": CONFIG, "readOnly": True},
            common.TMP_MOUNT,
            *access.get("volumeMounts", []),
        ],
    }
