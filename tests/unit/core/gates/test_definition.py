"""Which gates a spec has, by which words they are known, and what is kept of them."""

from __future__ import annotations

from typing import Any

import pytest
from trial import spec_of

from pawl.api.rollout import RolloutSpec
from pawl.api.rollout_status import RolloutGate
from pawl.core.gates import definitions

ERRORS = {"metric": "error_rate", "notWorseBy": 0.01}


def query(text: str, **bounds: float) -> dict[str, Any]:
    return {"prometheus": {"query": text, **bounds}}


def test_gates_of_both_stages_in_order_and_the_operators_own_at_the_end():
    spec = RolloutSpec.model_validate(
        {
            "shadow": {"gates": [{"metric": "disagreement", "max": 0.05}]},
            "canary": {"steps": [{"weight": 5}], "gates": [ERRORS, query("up", min=1)]},
        }
    )
    assert [(d.stage, d.metric, d.words) for d in definitions(spec)] == [
        ("shadow", "disagreement", "max 0.05"),
        ("canary", "error_rate", "notWorseBy 0.01"),
        ("canary", "prometheus", "min 1: up"),
        ("canary", "traffic_split", "as configured"),
    ]


def test_a_shadow_alone_splits_no_traffic():
    assert [d.metric for d in definitions(spec_of("shadow", ERRORS))] == ["error_rate"]


def test_what_has_no_stated_error_rate_is_not_statistical():
    found = definitions(spec_of("canary", ERRORS, query("up", min=1)))
    assert [d.metric for d in found if d.statistical] == ["error_rate"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(ERRORS, {**ERRORS, "notWorseBy": 0.02}, id="margins"),
        pytest.param(
            {**ERRORS, "notWorseBy": 0.0100000001}, ERRORS, id="margins that are nearly the same"
        ),
        pytest.param(
            {"metric": "latency_p95_ratio", "max": 1.5},
            {"metric": "latency_p50_ratio", "max": 1.5},
            id="metrics",
        ),
        pytest.param(
            query("sum(rate(" + "x" * 70 + "))", max=1),
            query("sum(rate(" + "x" * 71 + "))", max=1),
            id="long queries that begin alike",
        ),
        pytest.param(query("up", min=1), query("up", max=1), id="bounds of a query"),
    ],
)
def test_different_gates_have_evidence_of_their_own(one: Any, other: Any):
    first, second, _ = definitions(spec_of("canary", one, other))
    known = RolloutGate(
        stage="canary", metric=first.metric, limit=first.words, verdict="Fail", evidence="x"
    )
    assert first.among((known,)).evidence == "x"
    assert second.among((known,)) == RolloutGate(
        stage="canary", metric=second.metric, limit=second.words
    )


def test_words_fit_into_status():
    found = definitions(spec_of("canary", query("x" * 2000, min=-1e-300, max=1e300)))
    assert len(found[0].words) <= 64


def test_whether_a_gate_is_required_may_change_without_losing_its_evidence():
    (definition, _) = definitions(spec_of("canary", {**ERRORS, "required": False}))
    known = RolloutGate(
        stage="canary", metric="error_rate", limit="notWorseBy 0.01", verdict="Pass", evidence="x"
    )
    found = definition.among((known,))
    assert (found.required, found.verdict, found.evidence) == (False, "Pass", "x")
