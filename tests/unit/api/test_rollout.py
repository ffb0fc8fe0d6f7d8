"""What the CRD takes and refuses of a rollout, judged as an API server judges it."""

from __future__ import annotations

from typing import Any

import pytest

from pawl.api.crds import all_crds
from pawl.api.deployment import DeploymentSpec, DeploymentStatus
from pawl.api.rollout import CanaryGate, ShadowGate
from pawl.local.schema.structural import Structural

STEPS = [{"weight": 5}, {"weight": 50, "duration": "1h"}]
ERRORS = {"metric": "error_rate", "notWorseBy": 0.01}


@pytest.fixture(scope="module")
def schema() -> Structural:
    crd = next(crd for crd in all_crds() if crd["spec"]["names"]["kind"] == "Deployment")
    return Structural(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def complaints(schema: Structural, rollout: Any, **spec: Any) -> str:
    item = {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": "churn", "namespace": "ml"},
        "spec": {"model": "churn", "rollout": rollout, **spec},
    }
    schema.default(item)
    return "; ".join(str(cause) for cause in schema.validate(item))


def canary(*gates: Any, steps: Any = STEPS, **more: Any) -> Any:
    return {"canary": {"steps": steps, "gates": list(gates), **more}}


def shadow(*gates: Any, **more: Any) -> Any:
    return {"shadow": {"gates": list(gates), **more}}


@pytest.mark.parametrize(
    "rollout",
    [
        pytest.param(shadow(), id="a shadow alone"),
        pytest.param(canary(), id="a canary alone"),
        pytest.param(canary(ERRORS, sticky={"header": "x-user-id"}), id="sticky users"),
        pytest.param(shadow({"metric": "disagreement", "max": 0.05}), id="disagreement"),
        pytest.param(shadow({"metric": "latency_p95_ratio", "max": 1.5}), id="a ratio above 1"),
        pytest.param(shadow({"metric": "score_difference_p95", "max": 40}), id="a large distance"),
        pytest.param(shadow(ERRORS), id="errors of a shadow"),
        pytest.param(
            canary({"metric": "accuracy", "notWorseBy": 0.03, "required": False}), id="accuracy"
        ),
        pytest.param(canary({"prometheus": {"query": "up", "min": -1, "max": -1}}), id="a query"),
        pytest.param({**canary(ERRORS), "holdback": {}}, id="holdback"),
        pytest.param({**canary(ERRORS), "promotion": "Manual", "paused": True}, id="manual"),
        pytest.param(
            {
                **canary(ERRORS),
                "decision": {"onInconclusive": "Promote", "acceptUnproven": True},
            },
            id="unproven, accepted",
        ),
        pytest.param(
            canary(*[ERRORS] * 8, steps=[{"weight": w} for w in range(1, 11)]), id="the most"
        ),
    ],
)
def test_takes(schema: Structural, rollout: Any):
    assert complaints(schema, rollout) == ""
    DeploymentSpec.model_validate({"model": "churn", "rollout": rollout})


@pytest.mark.parametrize(
    ("rollout", "words"),
    [
        pytest.param({}, "give shadow or canary", id="neither stage"),
        pytest.param({**shadow(), "holdback": {}}, "needs canary", id="holdback without traffic"),
        pytest.param(canary(steps=[]), "at least 1 items", id="no step"),
        pytest.param(canary(steps=[{"weight": 50}, {"weight": 5}]), "must grow", id="falling"),
        pytest.param(canary(steps=[{"weight": 5}, {"weight": 5}]), "must grow", id="standing"),
        pytest.param(canary(steps=[{"weight": 100}]), "less than or equal to 99", id="all of it"),
        pytest.param(canary(steps=[{"weight": 0}]), "greater than or equal to 1", id="nothing"),
        pytest.param(canary(steps=[{"weight": 5, "duration": "10"}]), "duration", id="no unit"),
        pytest.param(canary({**ERRORS, "notWorseBy": 0}), "greater than 0", id="never to pass"),
        pytest.param(canary({**ERRORS, "notWorseBy": 1}), "less than 1", id="never to fail"),
        pytest.param(canary({**ERRORS, "max": 0.1}), "give max or notWorseBy", id="two limits"),
        pytest.param(canary({"metric": "error_rate"}), "give max or notWorseBy", id="no limit"),
        pytest.param(
            canary({"metric": "error_rate", "max": 0.1}), "take notWorseBy", id="absolute errors"
        ),
        pytest.param(
            canary({"metric": "latency_p95_ratio", "notWorseBy": 0.1}),
            "every other metric max",
            id="a ratio with a margin",
        ),
        pytest.param(
            canary({"metric": "disagreement", "max": 0.1}), "Unsupported", id="of shadows"
        ),
        pytest.param(canary({}), "metric or prometheus", id="an empty gate"),
        pytest.param(
            canary({**ERRORS, "prometheus": {"query": "up", "max": 1}}),
            "metric or prometheus",
            id="metric and query",
        ),
        pytest.param(
            canary({"prometheus": {"query": "up", "max": 1}, "max": 2}),
            "prometheus.min and prometheus.max",
            id="a limit beside a query",
        ),
        pytest.param(canary({"prometheus": {"query": "up"}}), "min or max", id="no bound"),
        pytest.param(
            canary({"prometheus": {"query": "up", "min": 2, "max": 1}}),
            "min must not exceed max",
            id="bounds that cross",
        ),
        pytest.param(shadow({"metric": "accuracy", "max": 1}), "Unsupported", id="of canaries"),
        pytest.param(shadow({"metric": "disagreement", "max": 1}), "below 1", id="a share of all"),
        pytest.param(
            shadow({"metric": "calibration_shift", "max": 1.5}), "below 1", id="a shift of all"
        ),
        pytest.param(
            shadow({"metric": "error_rate", "max": 0.1}),
            "error_rate takes notWorseBy",
            id="absolute errors of a shadow",
        ),
        pytest.param(
            canary(sticky={"header": "X-Pawl-User"}), "the router's own", id="our own header"
        ),
        pytest.param(canary(sticky={"header": "x user"}), "should match", id="no header"),
        pytest.param(shadow(percent=0), "greater than or equal to 1", id="no copies"),
        pytest.param(
            {**canary(ERRORS), "decision": {"onInconclusive": "Promote"}},
            "needs acceptUnproven",
            id="unproven by accident",
        ),
        pytest.param(
            {**canary(ERRORS), "decision": {"confidence": 0.99999}}, "0.9999", id="certain"
        ),
        pytest.param(canary(*[ERRORS] * 9), "at most 8 items", id="too many gates"),
    ],
)
def test_refuses_with_a_reason(schema: Structural, rollout: Any, words: str):
    assert words in complaints(schema, rollout)


@pytest.mark.parametrize("gate", [ShadowGate, CanaryGate])
def test_a_margin_leaves_something_to_prove(gate: Any):
    for margin in (0, 1):
        with pytest.raises(ValueError, match=r"not_worse_by|notWorseBy"):
            gate.model_validate({"metric": "error_rate", "notWorseBy": margin})


def test_all_gates_that_a_spec_may_have_fit_into_status():
    limits = {
        name: next(m.max_length for m in field.metadata if hasattr(m, "max_length"))
        for name, field in {
            "shadow": _field(DeploymentSpec, "rollout", "shadow", "gates"),
            "canary": _field(DeploymentSpec, "rollout", "canary", "gates"),
            "status": _field(DeploymentStatus, "rollout", "gates"),
        }.items()
    }
    # one more is the operator's own: traffic_split
    assert limits["shadow"] + limits["canary"] + 1 <= limits["status"]


def _field(model: Any, *path: str) -> Any:
    for name in path[:-1]:
        kinds = model.model_fields[name].annotation.__args__
        model = next(kind for kind in kinds if kind is not type(None))
    return model.model_fields[path[-1]]


def test_gates_on_feedback_need_servers_that_take_it(schema: Structural):
    accuracy = canary({"metric": "accuracy", "notWorseBy": 0.03})
    assert "need server.feedback" in complaints(schema, accuracy, server={"feedback": False})
    assert complaints(schema, accuracy, server={"feedback": True}) == ""
    assert complaints(schema, canary(ERRORS), server={"feedback": False}) == ""
