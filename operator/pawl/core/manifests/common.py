"""What all pods of ours have alike: labels, ownership, and the restricted pod security profile."""

from __future__ import annotations

import json
from typing import Any

from pawl.api.base import Resources
from pawl.api.placement import Placement
from pawl.constants import (
    API_VERSION,
    ENV_ALLOWED_URIS,
    LABEL_MANAGED_BY,
    STORE_SECRET,
)
from pawl.core.installation import Installation

_UID = 65532
#: Not /tmp: where pods are plain processes, a mount there would hide the files of others.
TMP = "/pawl/tmp"
TMP_MOUNT = {"name": "tmp", "mountPath": TMP}
TMP_ENV = {"HOME": TMP, "TMPDIR": TMP}
TERMINATION_LOG = "/dev/termination-log"


def owner_reference(owner: dict[str, Any]) -> dict[str, Any]:
    """A controller reference to one of our own objects."""
    return {
        "apiVersion": API_VERSION,
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def metadata(
    name: str, namespace: str, owner: dict[str, Any] | None, labels: dict[str, str]
) -> dict[str, Any]:
    """Metadata of a child."""
    meta: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "labels": {LABEL_MANAGED_BY: "pawl", **labels},
    }
    if owner is not None:
        meta["ownerReferences"] = [owner_reference(owner)]
    return meta


def env(**values: str) -> list[dict[str, str]]:
    """Literal environment variables, in the order given."""
    return [{"name": name, "value": value} for name, value in values.items()]


def pod_security() -> dict[str, Any]:
    """Pod-level part of the restricted profile (Pod Security Standards)."""
    return {
        "runAsNonRoot": True,
        "runAsUser": _UID,
        "runAsGroup": _UID,
        "fsGroup": _UID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    """Container-level part of the restricted profile, with a read-only root."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def uri_rules(installation: Installation, namespace: str) -> dict[str, str]:
    """The variable by which pods know which URIs their namespace may name; none without rules."""
    rules = installation.uris.of(namespace)
    return {} if rules is None else {ENV_ALLOWED_URIS: json.dumps(rules)}


def placement(spec: Placement) -> dict[str, Any]:
    """These fields of a pod spec, where given."""
    given = {name: getattr(spec, name) for name in Placement.model_fields}
    return Placement(**given).model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude_defaults=True
    )


def resources(spec: Resources | None, **requests: str) -> dict[str, Any]:
    """As the user gave them, else small default requests."""
    if spec is None:
        return {"requests": requests}
    return spec.model_dump(exclude_none=True)


def store_access(installation: Installation) -> dict[str, Any]:
    """Container fields that give access to the store: credentials, and the claim if any."""
    fields: dict[str, Any] = {"envFrom": [{"secretRef": {"name": STORE_SECRET, "optional": True}}]}
    if installation.store_claim:
        fields["volumeMounts"] = [{"name": "store", "mountPath": installation.store_path}]
    return fields


def store_volumes(installation: Installation) -> list[dict[str, Any]]:
    """The volume that `store_access` mounts."""
    if not installation.store_claim:
        return []
    return [
        {"name": "store", "persistentVolumeClaim": {"claimName": installation.store_claim}},
    ]
