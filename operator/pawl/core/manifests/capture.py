"""What capture adds to a server pod: the folder of the spool, and the writer beside the server.

The writer runs in the trainer's image, which has pyarrow; see docs/decisions/0013-capture.md.
"""

from __future__ import annotations

import json
from typing import Any

from pawl import constants as c
from pawl.api.capture import CaptureSpec
from pawl.core.installation import Installation
from pawl.core.manifests import common

SPOOL = "/pawl/capture"
CLAIM = "/pawl/claim"
MOUNT = {"name": "capture", "mountPath": SPOOL}
_POD = {"name": c.ENV_POD, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}


def server_env(spec: CaptureSpec) -> list[dict[str, Any]]:
    """What the server is told."""
    choice: dict[str, Any] = {"percent": spec.percent}
    choice |= {
        key: list(value) for key, value in (("drop", spec.drop), ("hash", spec.hash)) if value
    }
    told = {c.ENV_CAPTURE: json.dumps(choice), c.ENV_CAPTURE_DIR: SPOOL}
    return [_POD, *common.env(**told)]


def writer(spec: CaptureSpec, installation: Installation) -> dict[str, Any]:
    """The container that writes parquet files."""
    access = common.store_access(installation)
    told = {c.ENV_CAPTURE_DIR: SPOOL, c.ENV_CAPTURE_URI: spec.uri}
    mounts = [MOUNT, common.TMP_MOUNT, *access.get("volumeMounts", [])]
    if spec.retention is not None:
        told[c.ENV_CAPTURE_RETENTION] = spec.retention
    if _claim(spec) is not None:
        told[c.ENV_CLAIM_DIR] = CLAIM
        mounts.append({"name": "claim", "mountPath": CLAIM})
    return {
        "name": "capture",
        "image": installation.images.trainer,
        "imagePullPolicy": installation.image_pull_policy,
        "command": ["python", "-m", "pawl.capture"],
        "args": ["write"],
        "env": common.env(**told, OMP_NUM_THREADS="1", **common.TMP_ENV),
        "envFrom": access["envFrom"],
        "resources": common.resources(None, cpu="10m", memory="192Mi"),
        "securityContext": common.container_security(),
        "volumeMounts": mounts,
    }


def volumes(spec: CaptureSpec) -> list[dict[str, Any]]:
    """The spool, and the claim of a pvc:// URI."""
    found: list[dict[str, Any]] = [{"name": "capture", "emptyDir": {}}]
    claim = _claim(spec)
    if claim is not None:
        found.append({"name": "claim", "persistentVolumeClaim": {"claimName": claim}})
    return found


def _claim(spec: CaptureSpec) -> str | None:
    if not spec.uri.startswith("pvc://"):
        return None
    return spec.uri.removeprefix("pvc://").partition("/")[0]
