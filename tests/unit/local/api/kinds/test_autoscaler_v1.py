"""HorizontalPodAutoscalers as v1 sees them, there and back."""

import copy
import json
from typing import Any

import pytest

from pawl.local.api.errors import ApiError
from pawl.local.api.kinds.autoscaler_v1 import inward, outward

PREFIX = "autoscaling.alpha.kubernetes.io/"


def cpu(percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


MEMORY = {
    "type": "Resource",
    "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}},
}


def autoscaler(*metrics: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "maxReplicas": 3,
            "metrics": list(metrics),
            **spec,
        },
    }


def test_the_cpu_target_is_a_field_and_nothing_else_is_left():
    shown = outward(autoscaler(cpu(50)))
    assert shown["apiVersion"] == "autoscaling/v1"
    assert shown["spec"]["targetCPUUtilizationPercentage"] == 50
    assert "metrics" not in shown["spec"]
    assert "annotations" not in shown["metadata"]


def test_what_v1_cannot_say_travels_in_annotations():
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 60}}
    stored = autoscaler(MEMORY, cpu(50), cpu(60), behavior=behavior)
    shown = outward(stored)
    annotations = shown["metadata"]["annotations"]
    assert json.loads(annotations[f"{PREFIX}metrics"]) == [MEMORY, cpu(60)]
    assert json.loads(annotations[f"{PREFIX}behavior"]) == behavior
    assert "behavior" not in shown["spec"]


@pytest.mark.parametrize(
    "stored",
    [
        autoscaler(cpu(50)),
        autoscaler(cpu(50), MEMORY),
        autoscaler(MEMORY),
        autoscaler(cpu(1), behavior={"scaleUp": {"selectPolicy": "Max"}}, minReplicas=2),
    ],
    ids=["cpu", "both", "memory", "behavior"],
)
def test_there_and_back(stored):
    before = copy.deepcopy(stored)
    assert inward(copy.deepcopy(outward(stored))) == stored
    assert stored == before


def test_status():
    current = {"type": "Resource", "resource": {"name": "cpu", "current": {
        "averageUtilization": 40, "averageValue": "4m"}}}  # fmt: skip
    condition = {"type": "AbleToScale", "status": "True"}
    status = {"desiredReplicas": 2, "currentMetrics": [current], "conditions": [condition]}
    shown = outward({**autoscaler(cpu(50)), "status": status})
    assert shown["status"] == {
        "desiredReplicas": 2, "currentReplicas": 0, "currentCPUUtilizationPercentage": 40,
    }  # fmt: skip
    assert json.loads(shown["metadata"]["annotations"][f"{PREFIX}conditions"]) == [condition]


@pytest.mark.parametrize(
    ("name", "value"),
    [("metrics", "{"), ("metrics", "{}"), ("behavior", "[]"), ("metrics", '[{"type": 3}]')],
)
def test_annotations_that_are_no_v2_fields(name, value):
    sent = outward(autoscaler(cpu(50)))
    sent["metadata"]["annotations"] = {PREFIX + name: value}
    with pytest.raises(ApiError) as refused:
        inward(sent)
    assert refused.value.code == 400
