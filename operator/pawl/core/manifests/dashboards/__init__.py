"""Dashboards for Grafana: the fleet, one model, the operator. All they ask for is in
docs/metrics.md."""

from __future__ import annotations

from typing import Any

from pawl.core.manifests.dashboards import fleet, model, operator
from pawl.core.manifests.dashboards.grafana import dashboard


def dashboards() -> dict[str, dict[str, Any]]:
    """File name -> a dashboard as JSON."""
    return {
        "fleet.json": dashboard("pawl-fleet", "Pawl: all models", fleet.PANELS, {}),
        "model.json": dashboard("pawl-model", "Pawl: one model", model.PANELS, model.CHOICE),
        "operator.json": dashboard("pawl-operator", "Pawl: the operator", operator.PANELS, {}),
    }
