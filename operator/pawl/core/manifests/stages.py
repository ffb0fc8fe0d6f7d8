"""The containers of a training pod: Pawl's stages, and those that users put between or in the place
of them."""

from __future__ import annotations

import re
from typing import Any

from pawl import constants as c
from pawl.api.preparation import StepContainer
from pawl.api.quantity import parse
from pawl.api.trainer import ContainerTrainer
from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.runs import WORK_DATA, WORK_OUTPUT, WORK_PARAMETERS, WORK_STEPS
from pawl.core.installation import Installation
from pawl.core.manifests import common

WORK = "/pawl/work"
CONFIG = "/pawl/run"
#: Before the name of a container of data.prepare.
STEP = "step-"
#: The volume of temporary files of users' containers.
FOREIGN_TMP = "foreign-tmp"
#: OpenMP's, and also read by OpenBLAS, MKL and PyTorch.
_THREADS = "OMP_NUM_THREADS"
_MOST_THREADS = 1024
#: Volumes and variables that a container of a user's does not get.
_INTERNAL = ("work", "run", "tmp", c.ENV_WORK_DIR, c.ENV_RUN_CONFIG)


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


def publish(installation: Installation) -> dict[str, Any]:
    """The stage that alone gets the key for signatures."""
    stage = build("publish", installation, store=True)
    key = {"name": c.SIGNING_SECRET, "key": "key", "optional": True}
    stage["env"] += [{"name": c.ENV_SIGNING_KEY, "valueFrom": {"secretKeyRef": key}}]
    return stage


def train(spec: TrainingJobSpec, installation: Installation) -> dict[str, Any]:
    """Pawl's trainer, or a container of the user's own."""
    stage = build("train", installation, store=False, threads=train_threads(spec))
    stage["env"] += common.env(PAWL_SEED=str(spec.seed))
    trainer = spec.trainer.container
    if trainer is not None:
        # It sees what the file contract says and nothing else: the test rows stay hidden.
        parameters = _part(WORK_PARAMETERS, read_only=True)
        _foreign(stage, trainer, [_part(WORK_DATA, read_only=True), _part(WORK_OUTPUT), parameters])
    return stage


def step(number: int, container: StepContainer, installation: Installation) -> dict[str, Any]:
    """A container of data.prepare: it sees the rows that it is given and its own output."""
    stage = build("step", installation, store=False)
    stage["name"] = STEP + container.name
    given, left = f"{WORK_STEPS}/{number}", f"{WORK_STEPS}/{number + 1}"
    _foreign(stage, container, [_part(given, read_only=True), _part(left)])
    hidden = (c.ENV_PARAMETERS, c.ENV_DATA_DIR, c.ENV_OUTPUT_DIR)
    stage["env"] = [variable for variable in stage["env"] if variable["name"] not in hidden]
    paths = {c.ENV_DATA_DIR: f"{WORK}/{given}", c.ENV_OUTPUT_DIR: f"{WORK}/{left}"}
    stage["env"] += common.env(**paths)
    return stage


def keeper(installation: Installation) -> dict[str, Any]:
    """The sidecar that copies checkpoints into the store while `train` runs. It sees no other part
    of the workspace."""
    stage = build(c.CHECKPOINTS, installation, store=True)
    stage["volumeMounts"] = [m for m in stage["volumeMounts"] if m["name"] != "work"]
    return {**stage, "restartPolicy": "Always"}


def _foreign(
    stage: dict[str, Any],
    container: ContainerTrainer | StepContainer,
    parts: list[dict[str, Any]],
) -> None:
    """Makes a stage the user's container, which sees some parts of the workspace. Its temporary
    files are not where Pawl's stages have their HOME, and would read settings from."""
    temporary = (common.TMP, "/tmp")  # noqa: S108 - its programs may know no other
    stage["volumeMounts"] = [
        *(m for m in stage["volumeMounts"] if m["name"] not in _INTERNAL),
        *({"name": FOREIGN_TMP, "mountPath": path} for path in temporary),
        *parts,
    ]
    stage["env"] = [v for v in stage["env"] if v["name"] not in _INTERNAL]
    del stage["args"]
    stage["image"] = container.image
    if container.command:
        stage["command"] = list(container.command)
    if container.args:
        stage["args"] = list(container.args)
    stage["env"] += [
        {"name": var.name, "value": var.value}
        for var in container.env
        if not var.name.startswith("PAWL_")
    ]


def _part(path: str, *, read_only: bool = False) -> dict[str, Any]:
    """A mount of a part of the workspace."""
    mount = {"name": "work", "mountPath": f"{WORK}/{path}", "subPath": path}
    return {**mount, "readOnly": True} if read_only else mount


def build(
    stage: str, installation: Installation, *, store: bool, threads: int = 1
) -> dict[str, Any]:
    """A stage of Pawl's own; with `store` it gets the credentials of the store."""
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
