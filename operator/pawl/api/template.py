"""spec.template of a TrainingJob: what its pods ask of the cluster."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pawl.api.base import ApiModel, ObjectName, Quantity, Resources, cel
from pawl.api.placement import Placement


class ClaimVolume(ApiModel):
    """A PersistentVolumeClaim of the namespace, as in core/v1."""

    claim_name: ObjectName
    read_only: bool = False


class EmptyDir(ApiModel):
    """A folder that goes with the pod, as in core/v1."""

    medium: Literal["", "Memory"] = ""
    size_limit: Quantity | None = None


class Item(ApiModel):
    """A key, and the file that it becomes."""

    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
    path: Annotated[
        str, Field(max_length=253, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][\w.-]*)*$")
    ]


Items = Annotated[tuple[Item, ...], Field(max_length=16)]


class ConfigMapVolume(ApiModel):
    """A ConfigMap of the namespace, as in core/v1. Without items every key is a file."""

    name: ObjectName
    items: Items = ()


class SecretVolume(ApiModel):
    """A Secret of the namespace, as in core/v1. Without items every key is a file."""

    secret_name: ObjectName
    items: Items = ()


class Volume(ApiModel):
    """A volume, and where `train` finds it."""

    model_config = cel(
        (
            "[has(self.persistentVolumeClaim), has(self.emptyDir), has(self.configMap), "
            "has(self.secret)].filter(given, given).size() == 1",
            "exactly one of persistentVolumeClaim, emptyDir, configMap and secret; folders of "
            "nodes are for no trainer",
        ),
        (
            "!(self.mountPath + '/').startsWith('/pawl/') && "
            "!(self.mountPath in ['/tmp', '/dev', '/dev/termination-log', '/proc', '/sys'])",
            "mountPath is Pawl's or the system's: take another one",
        ),
    )
    mount_path: Annotated[str, Field(max_length=512, pattern=r"^(/[A-Za-z0-9_][A-Za-z0-9._-]*)+$")]
    persistent_volume_claim: ClaimVolume | None = None
    empty_dir: EmptyDir | None = None
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = Field(
        None, description="Refused unless the administrator allows it, as secret://NAME."
    )


class StoredCheckpoints(ApiModel):
    """What of the checkpoints is copied into the artifact store."""

    keep: Annotated[int, Field(ge=1, le=10)] = Field(
        3, description="How many of the newest ones; of several workers for each."
    )
    size_limit: Annotated[str, Field(max_length=8, pattern=r"^[1-9][0-9]{0,4}[MGT]i$")] = Field(
        "10Gi", description="Of them together; the oldest ones give way, a larger one is not kept."
    )


class Checkpoints(ApiModel):
    """Where `train` keeps what it needs to go on after it was interrupted (PAWL_CHECKPOINT_DIR)."""

    model_config = cel(
        (
            "has(self.claim) != has(self.store)",
            "exactly one of claim and store",
        ),
    )
    claim: ObjectName | None = Field(
        None,
        description="A PersistentVolumeClaim of the namespace. The folder of a run in it survives "
        "its attempts, and is emptied when the run has succeeded.",
    )
    store: StoredCheckpoints | None = Field(
        None,
        description="The artifact store. The newest checkpoints are copied there while train runs, "
        "and back before it runs again, and are removed when the run has succeeded.",
    )


class PodTemplate(Placement):
    """What the training pods ask of the cluster."""

    resources: Resources | None = Field(
        None,
        description="Of the train container, GPUs too; its whole CPUs are its threads.",
    )
    service_account_name: ObjectName | None = Field(
        None, description="Default: default. Its token is never mounted."
    )
    image_pull_secrets: Annotated[tuple[ObjectName, ...], Field(max_length=8)] = ()
    priority_class_name: ObjectName | None = Field(
        None, description="Which pods give way to which."
    )
    runtime_class_name: ObjectName | None = Field(
        None, description="Of the container runtime, as GPUs may need."
    )
    termination_grace_period_seconds: Annotated[int, Field(ge=0, le=3600)] | None = Field(
        None,
        description="How long train has between SIGTERM and SIGKILL, to write a checkpoint, say. "
        "Default: 30.",
    )
    config_maps: Annotated[tuple[ObjectName, ...], Field(max_length=8)] = Field(
        (),
        description="ConfigMaps mounted into train at /pawl/config-maps/<name>.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    volumes: Annotated[tuple[Volume, ...], Field(max_length=8)] = Field(
        (),
        description="More volumes of a container trainer, at paths of their own.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["mountPath"],
        },
    )
    checkpoints: Checkpoints | None = Field(
        None, description="Of a container trainer; default: an interrupted one begins anew."
    )

    @property
    def claims(self) -> tuple[str, ...]:
        """The PersistentVolumeClaims that train may write to or read."""
        mounted = (volume.persistent_volume_claim for volume in self.volumes)
        names = [claim.claim_name for claim in mounted if claim is not None]
        kept = self.checkpoints.claim if self.checkpoints else None
        return (*names, kept) if kept else tuple(names)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The Secrets that train reads."""
        mounted = (volume.secret for volume in self.volumes)
        return tuple(secret.secret_name for secret in mounted if secret is not None)

    @property
    def stored(self) -> StoredCheckpoints | None:
        """What of the checkpoints goes into the store; None where nothing does."""
        return self.checkpoints.store if self.checkpoints else None
