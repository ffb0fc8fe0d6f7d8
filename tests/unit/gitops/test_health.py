"""What Argo CD and Flux say of objects in every state. Argo CD runs the checks in a sandbox of Lua
5.1 that opens few libraries; so does this test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from kstatus import compute
from lupa.lua51 import LuaRuntime
from recorded import CASES, golden

GITOPS = Path(__file__).parents[3] / "manifests/gitops"
CHECKS = yaml.safe_load((GITOPS / "argocd/argocd-cm.yaml").read_text())["data"]
NOT_SEEN = "the operator has not seen this generation yet"

EXPECTED = {
    "job-new": ("Progressing", "InProgress", NOT_SEEN),
    "job-running": ("Progressing", "Current", "0 % done"),
    "job-changed": ("Progressing", "InProgress", NOT_SEEN),
    "job-image-missing": ("Progressing", "InProgress", "cannot be pulled"),
    "job-suspended": ("Suspended", "Current", "spec.suspend"),
    "job-complete": ("Healthy", "Current", "all gates passed"),
    "job-failed": ("Degraded", "Failed", "3 rows of monthly"),
    "job-invalid": ("Degraded", "Failed", "spec.data.uri"),
    "version-good": ("Healthy", "Current", "Champion"),
    "version-unread": ("Progressing", "InProgress", "no answer"),
    "version-broken": ("Degraded", "Failed", "other bytes"),
    "version-waits-for-approval": ("Suspended", "Current", "spec.approval"),
    "version-turned-down": ("Suspended", "Current", "Rejected"),
    "version-gate-failed": ("Degraded", "Current", "roc_auc"),
    "deployment-no-version": ("Progressing", "InProgress", "no version of churn"),
    "deployment-starting": ("Progressing", "InProgress", "0 of 1 pods"),
    "deployment-serving": ("Healthy", "Current", "v1 serves"),
    "deployment-stalled": ("Degraded", "Failed", "no ModelVersion churn-v9"),
    "deployment-routers-gone": ("Degraded", "InProgress", "no router is ready"),
    "deployment-shadow": ("Progressing", "Current", "shadow"),
    "deployment-canary": ("Progressing", "Current", "canary 20 %"),
    "deployment-paused": ("Suspended", "Current", "paused in shadow"),
    "deployment-awaits-promotion": ("Suspended", "Current", "waits for `pawl promote`"),
    "deployment-holdback": ("Healthy", "Current", "churn-v2"),
    "deployment-promoted": ("Healthy", "Current", "v2 serves"),
    "deployment-rolled-back": ("Healthy", "Current", "v1 serves"),
}


def argo(item: dict[str, Any]) -> tuple[str, str]:
    """Status and message of the check for the object's kind."""
    lua = LuaRuntime(unpack_returned_tuples=True)
    for library in ("string", "math", "io", "debug", "python", "os", "package", "coroutine"):
        lua.globals()[library] = None
    lua.globals().obj = lua.table_from(item, recursive=True)
    answer = lua.execute(CHECKS[f"resource.customizations.health.pawl.dev_{item['kind']}"])
    return answer.status, answer.message


def test_every_state_has_an_expectation():
    assert set(EXPECTED) == set(CASES)
    for kind in ("job", "version", "deployment"):
        found = {health for case, (health, *_) in EXPECTED.items() if case.startswith(kind)}
        assert found == {"Healthy", "Progressing", "Degraded", "Suspended"}, kind


@pytest.mark.parametrize("case", EXPECTED)
def test_argo_cd(case: str):
    health, _, words = EXPECTED[case]
    status, message = argo(golden(case))
    assert status == health
    assert words in message


@pytest.mark.parametrize("case", EXPECTED)
def test_flux_waits_only_for_what_comes_by_itself(case: str):
    assert compute(golden(case)) == EXPECTED[case][1]


def test_what_is_being_deleted_is_waited_for():
    item = golden("deployment-serving")
    item["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"
    assert compute(item) == "Terminating"


@pytest.mark.parametrize("kind", ["TrainingJob", "ModelVersion", "Deployment"])
@pytest.mark.parametrize("status", [None, {}, {"observedGeneration": 1}, {"conditions": []}])
def test_a_status_that_is_hardly_there_is_progressing(kind: str, status: Any):
    item = {"kind": kind, "metadata": {"name": "x", "generation": 1}, "spec": {}}
    if status is not None:
        item["status"] = status
    assert argo(item) == ("Progressing", NOT_SEEN)
