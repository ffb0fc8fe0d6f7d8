"""What of a Deployment says what is watched of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from pawl.api.deployment import DeploymentStatus
from pawl.api.drift import DriftSpec


def watched(item: Mapping[str, Any]) -> tuple[DeploymentStatus, DriftSpec] | None:
    """Its status and spec.drift; None when nothing is watched, or neither can be read."""
    try:
        status = DeploymentStatus.model_validate(item.get("status") or {})
        return status, DriftSpec.model_validate(item["spec"]["drift"])
    except (ValidationError, KeyError):
        return None
