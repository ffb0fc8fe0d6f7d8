"""What `spec.template` asks of a training pod: where it runs, and what is mounted into `train`."""

from __future__ import annotations

from typing import Any

from pawl import constants as c
from pawl.api.template import PodTemplate, Volume
from pawl.core.manifests import common

CHECKPOINTS = "/pawl/checkpoints"


def place(pod: dict[str, Any], template: PodTemplate) -> None:
    """Where it runs, and as whom."""
    pod |= common.placement(template)
    asked = {
        "serviceAccountName": template.service_account_name,
        "priorityClassName": template.priority_class_name,
        "runtimeClassName": template.runtime_class_name,
        "terminationGracePeriodSeconds": template.termination_grace_period_seconds,
    }
    pod |= {field: value for field, value in asked.items() if value is not None}
    if template.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": secret} for secret in template.image_pull_secrets]


def dress(pod: dict[str, Any], template: PodTemplate, folder: str) -> None:
    """Completes a pod spec with the stages in it. `folder` is that of the run or trial in the claim
    of checkpoints."""
    train = pod["initContainers"][-1]
    place(pod, template)
    if template.resources is not None:
        train["resources"] = common.resources(template.resources)
    for i, config_map in enumerate(template.config_maps):
        path = f"/pawl/config-maps/{config_map}"
        pod["volumes"].append({"name": f"cm-{i}", "configMap": {"name": config_map}})
        train["volumeMounts"].append({"name": f"cm-{i}", "mountPath": path, "readOnly": True})
    for i, volume in enumerate(template.volumes):
        pod["volumes"].append({"name": f"volume-{i}", **_source(volume)})
        train["volumeMounts"].append({"name": f"volume-{i}", "mountPath": volume.mount_path})
    if template.checkpoints is not None:
        _keep_checkpoints(pod, template.checkpoints.claim, folder)


def _keep_checkpoints(pod: dict[str, Any], claim: str | None, folder: str) -> None:
    """In the claim `train` and the last stage see the run's folder. Without one it is the pod's:
    `prepare` fills it from the store, and a sidecar copies into that what comes."""
    name, mount = c.CHECKPOINTS, {"name": c.CHECKPOINTS, "mountPath": CHECKPOINTS}
    stages = [*pod["initContainers"], *pod["containers"]]
    if claim is None:
        pod["volumes"].append({"name": name, "emptyDir": {}})
        seeing = [stage for stage in stages if stage["name"] in ("prepare", name)] + stages[-2:]
    else:
        pod["volumes"].append({"name": name, "persistentVolumeClaim": {"claimName": claim}})
        mount["subPath"] = folder
        seeing = stages[-2:]
    for stage in seeing:
        stage["volumeMounts"].append(mount)
        stage["env"] += common.env(**{c.ENV_CHECKPOINT_DIR: CHECKPOINTS})


def _source(volume: Volume) -> dict[str, Any]:
    return volume.model_dump(
        mode="json", by_alias=True, exclude={"mount_path"}, exclude_none=True, exclude_defaults=True
    )
