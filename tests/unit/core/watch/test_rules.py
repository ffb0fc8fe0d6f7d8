"""Which rules features are judged by."""

from __future__ import annotations

from typing import Any

import pytest
from watch_world import LAYOUT

from pawl.api.drift import DriftSpec
from pawl.core.watch._rules import name_of, rules, unknown
from pawl.stats.drift.decision import Rule
from pawl.stats.drift.layout import PREDICTION, Feature, Layout, called


def asked(**spec: Any) -> Any:
    return rules(DriftSpec.model_validate(spec), LAYOUT)


def test_by_default_all_are_judged_by_psi():
    psi = (Rule("psi"),)
    assert asked() == {"age": psi, "plan": psi, "prediction": psi}


@pytest.mark.parametrize(
    ("override", "rule"),
    [
        pytest.param({"threshold": 0.5}, Rule("psi", 0.5), id="threshold"),
        pytest.param({"metric": "js"}, Rule("js"), id="a metric with its own default"),
        pytest.param({"metric": "psi"}, Rule("psi", 0.3), id="the same metric"),
        pytest.param({}, Rule("psi", 0.3), id="nothing"),
    ],
)
def test_one_feature_may_have_another_limit(override: dict[str, Any], rule: Rule):
    found = asked(features={"threshold": 0.3, "overrides": [{"name": "age", **override}]})
    assert found["age"] == (rule,)
    assert found["plan"] == (Rule("psi", 0.3),)


def test_values_are_judged_where_there_can_be_such():
    found = asked(features=None, quality={"maxMissing": 0.1, "maxUnseen": 0.2, "maxOutOfRange": 0})
    assert found["age"] == (Rule("missing", 0.1), Rule("out_of_range", 0.0))
    assert found["plan"] == (Rule("missing", 0.1), Rule("unseen", 0.2))
    assert found["prediction"] == (Rule("psi"),)


def test_a_feature_named_prediction_has_the_rules_of_a_feature():
    layout = Layout.of(
        Feature(name, "numeric", [10.0, 10.0, 0.0, 0.0])
        for name in (called(PREDICTION), called(f'"{PREDICTION}"'), PREDICTION)
    )
    limits = {
        "features": {"threshold": 0.3, "overrides": [{"name": "prediction", "threshold": 0.5}]},
        "prediction": {"threshold": 0.1},
        "quality": {"maxMissing": 0.2},
    }
    spec = DriftSpec.model_validate(limits)
    missing = Rule("missing", 0.2)
    assert rules(spec, layout) == {
        '"prediction"': (Rule("psi", 0.5), missing),
        '""prediction""': (Rule("psi", 0.3), missing),
        "prediction": (Rule("psi", 0.1),),
    }
    assert unknown(spec, layout) == ""


def test_limits_have_a_name_and_the_window_has_none():
    plain = name_of(DriftSpec())
    assert name_of(DriftSpec.model_validate({"window": "2h"})) == plain
    assert name_of(DriftSpec.model_validate({"quality": {"maxMissing": 0.1}})) != plain
