"""The Job of a run, and what tells its stages what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pawl import constants as c
from pawl.api.names import child_name
from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.runs import Seen, TrialTask
from pawl.core import kueue
from pawl.core.installation import Installation
from pawl.core.manifests import common, stages, template, workers

CLAIM = "/pawl/claim"
CLAIMS = "/pawl/claims"
_LOOK_SECONDS = 3600
_RUN_FIELD = f"metadata.annotations['{c.ANNOTATION_RUN_CONFIG}']"
_RUN_FILE = {"path": "run.json", "fieldRef": {"fieldPath": _RUN_FIELD}}
_RUN_VOLUME = {"name": "run", "downwardAPI": {"items": [_RUN_FILE]}}

Object = Mapping[str, Any]


def run_name(job_name: str, run: int, part: str = "") -> str:
    """Name of a run's Job, or of that of a `part`: of a trial, or of an attempt of several
    workers."""
    suffix = f"r{run}-{part}" if part else f"r{run}"
    return child_name(job_name, suffix, limit=52)  # pods add "-" and five characters


def configure(job: dict[str, Any], config: str) -> None:
    """Tells the pods of a Job what to do: run.json (artifacts.runs.RunConfig) as an annotation that
    they find as a file. At most 256 KiB, with all other annotations."""
    told = job["spec"]["template"]["metadata"].setdefault("annotations", {})
    told[c.ANNOTATION_RUN_CONFIG] = config


def configuration(job: Object) -> str:
    """What `configure` told them; empty when it did not."""
    annotations: Object = job["spec"]["template"]["metadata"].get("annotations") or {}
    return str(annotations.get(c.ANNOTATION_RUN_CONFIG, ""))


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
    score in its place. `attempt` is a part of its name. Its pods wait for `configure`."""
    meta = owner["metadata"]
    name = run_name(meta["name"], run, f"t{task.number}" if task else attempt)
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
            "spec": _pod(spec, folder, meta["namespace"], installation, task),
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


def build_poll(
    owner: dict[str, Any],
    spec: TrainingJobSpec,
    number: int,
    installation: Installation,
    seen: Seen | None = None,
) -> dict[str, Any]:
    """The Job of a look at the data, which tells their digest. `seen` is what the last one
    found."""
    meta = owner["metadata"]
    labels = {
        c.LABEL_TRAINING_JOB: meta["name"],
        c.LABEL_MODEL: spec.model,
        c.LABEL_ROLE: c.ROLE_TRAINER,
        c.LABEL_POLL: str(number),
    }
    look = stages.build("digest", installation, store=True)
    look["env"] += common.env(**common.uri_rules(installation, meta["namespace"]))
    if seen is not None:
        look["env"] += common.env(**{c.ENV_SEEN: seen.model_dump_json(by_alias=True)})
    volumes: list[dict[str, Any]] = [
        {"name": "work", "emptyDir": {}},
        {"name": "tmp", "emptyDir": {}},
        _RUN_VOLUME,
        *common.store_volumes(installation),
    ]
    _mount_claims(spec, [look], volumes)
    pod = {**_bare(), "containers": [look], "volumes": volumes}
    template.place(pod, spec.template)
    name = child_name(meta["name"], f"p{number}", limit=52)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": common.metadata(name, meta["namespace"], owner, labels),
        "spec": {
            "backoffLimit": 0,  # the next look is the next try
            "activeDeadlineSeconds": _LOOK_SECONDS,
            "template": {
                "metadata": {"labels": {c.LABEL_MANAGED_BY: "pawl", **labels}},
                "spec": pod,
            },
        },
    }


def _pod(
    spec: TrainingJobSpec,
    folder: str,
    namespace: str,
    installation: Installation,
    task: TrialTask | None,
) -> dict[str, Any]:
    told = common.env(**common.uri_rules(installation, namespace))
    volumes: list[dict[str, Any]] = [
        {"name": "work", "emptyDir": {}},
        {"name": "tmp", "emptyDir": {}},
        _RUN_VOLUME,
        *common.store_volumes(installation),
    ]
    prepare = stages.build("prepare", installation, store=True)
    train = stages.train(spec, installation)
    last = (
        stages.publish(installation)
        if task is None
        else stages.build("score", installation, store=True)
    )
    if spec.trainer.container or spec.data.prepare.containers:
        volumes.append({"name": stages.FOREIGN_TMP, "emptyDir": {}})
    steps = [
        stages.step(number, one, installation)
        for number, one in enumerate(spec.data.prepare.containers)
    ]
    fetch = [stages.build("fetch", installation, store=True)] if steps else []
    keeper = [stages.keeper(installation)] if spec.template.stored else []
    for stage in (*fetch, prepare, *keeper, last):
        stage["env"] += told
    _mount_claims(spec, [*fetch, prepare], volumes)
    pod: dict[str, Any] = {
        **_bare(),
        "initContainers": [*fetch, *steps, prepare, *keeper, train],
        "containers": [last],
        "volumes": volumes,
    }
    template.dress(pod, spec.template, folder)
    if task is not None:
        text = task.model_dump_json(by_alias=True).replace("$", "$$")  # nothing is expanded
        told = common.env(**{c.ENV_TRIAL: text})
        own = (prepare, *keeper, *([] if spec.trainer.container else [train]), last)
        for stage in (*fetch, *own):
            stage["env"] += told
    return pod


def _bare() -> dict[str, Any]:
    """What all pods have alike."""
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": common.pod_security(),
    }


def _mount_claims(
    spec: TrainingJobSpec, stages: list[dict[str, Any]], volumes: list[dict[str, Any]]
) -> None:
    """The claim of data.uri, and those of the sources that are joined to it, in some stages."""
    main, *joined = (_claim(uri) for uri in spec.data.uris.values())
    others = sorted({claim for claim in joined if claim is not None} - {main})
    mounts = {CLAIM: ("claim", main)} if main is not None else {}
    mounts |= {f"{CLAIMS}/{claim}": (f"claim-{i}", claim) for i, claim in enumerate(others)}
    for path, (name, claim) in mounts.items():
        volumes.append({"name": name, "persistentVolumeClaim": {"claimName": claim}})
        for stage in stages:
            stage["volumeMounts"].append({"name": name, "mountPath": path, "readOnly": True})
    for stage in stages:
        if main is not None:
            stage["env"] += common.env(**{c.ENV_CLAIM_DIR: CLAIM})
        if others:
            stage["env"] += common.env(**{c.ENV_CLAIMS_DIR: CLAIMS})


def _claim(uri: str) -> str | None:
    return uri.removeprefix("pvc://").split("/", 1)[0] if uri.startswith("pvc://") else None
