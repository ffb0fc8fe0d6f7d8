"""Whatever pods tell, the API server takes what is written of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import yaml
from serving_world import deployment, version
from watch_world import EVEN, SHIFTED, START, served

from pawl.api.deployment import DeploymentStatus
from pawl.api.drift import DriftSpec, RetrainSpec
from pawl.core.conditions import Conditions
from pawl.core.versions import read_versions
from pawl.core.watch import Alarm, Asked, DriftObserved, Tally, follow, labels, watch
from pawl.core.watch.baseline import NoBaseline
from pawl.local.schema.structural import Structural
from pawl.stats.drift.layout import Feature, Layout
from pawl.stats.drift.performance import Confusion
from pawl.stats.drift.window import counted

CRDS = Path(__file__).parents[4] / "crds"
NOW = datetime.fromtimestamp(START, UTC)
MANY = 300
NAMES = [f"{number:03}" + "\N{OLD PERSIAN SIGN A}" * 125 for number in range(MANY)]


def schema(name: str) -> Structural:
    found = yaml.safe_load((CRDS / f"{name}.pawl.dev.yaml").read_text(encoding="utf-8"))
    return Structural(found["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def refused(name: str, item: Any) -> list[str]:
    """Why the API server would not take it, as it is on the wire."""
    there = orjson.loads(orjson.dumps(item))
    checked = schema(name)
    checked.prune(there)
    checked.default(there)
    return [str(cause) for cause in checked.validate(there)]


def seen(**more: Any) -> DriftObserved:
    """Hundreds of features, all of which have left their baselines."""
    layout = Layout.of([Feature(name, "numeric", [*EVEN, 0.0, 0.0]) for name in NAMES])
    cells = np.array([[*SHIFTED, 0, 0] * MANY] * 60, dtype=np.uint32)
    return DriftObserved("m-v1", START, START + 3600, layout, counted(layout, cells), **more)


def decided(spec: DriftSpec, found: DriftObserved) -> Any:
    begun = watch(spec, None, served(1), None, NOW).status
    return watch(spec, begun, served(1), found, NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="drift"),
        pytest.param(
            {"no_baseline": NoBaseline("StoreUnreachable", "x" * 9000)}, id="a store that explains"
        ),
    ],
)
def test_drift_of_many_long_names(more: Any) -> None:
    spec = DriftSpec()
    after = decided(spec, seen(**more))
    conditions = Conditions((), generation=1, now=NOW)
    conditions.set("Drifted", True, "Drifted", after.decided.message)
    status = DeploymentStatus(drift=after.status, conditions=conditions.all()).render()
    item = {**deployment(), "status": status}
    assert refused("modeldeployments", item) == []
    alarm = Alarm(
        "Drifted",
        after.decided.message * 9,
        after.decided.end,
        ("features",),
        after.decided.drifted,
    )
    recipe = {
        "spec": {
            "model": "m",
            "data": {"uri": "file:///x", "task": "binary", "target": "y"},
            "trainer": {"sklearn": {"estimator": "sklearn.linear_model.LogisticRegression"}},
        }
    }
    asked = Asked(
        item=deployment(),
        model="m",
        spec=RetrainSpec.model_validate({"from": "weekly"}),
        retrains=True,
        stable=served(1),
        versions=read_versions([version(1)], "m"),
        rolled_back=frozenset(),
        jobs=(),
        recipe=recipe,
        reset="",
        now=NOW,
    )
    found = follow(asked, None, after.status, alarm, conditions)
    assert found.training is not None
    assert refused("trainingjobs", found.training.object) == []


@pytest.mark.parametrize(
    "metric",
    ["demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference"],
)
def test_truth_of_many_groups_with_long_names(metric: str) -> None:
    spec = DriftSpec.model_validate(
        {
            "performance": {"metric": "rmse", "max": 1e300},
            "fairness": {"metric": metric, "attribute": "\N{SNOWMAN}" * 128, "max": 0.1},
        }
    )
    names = [f"{number:02}" + "\N{SNOWMAN}" * 62 for number in range(64)]
    begun = labels(spec, None, None, {}, NOW)
    assert begun is not None
    start = int(datetime.fromisoformat(begun.window_start).timestamp())
    tally = Tally(
        start,
        start + 7 * 86_400,
        labelled=10**15,
        wrong=10**14,
        error=1e140,
        error_squares=1e140,
        errors={0: 1, 200: 10**12},
        groups={name: (90 + at * 10, at * 5) for at, name in enumerate(names)},
        group_confusion={name: Confusion(99 + at, at, 9, 200) for at, name in enumerate(names)},
        squares=(10**30, 10**30, 10**30, 10_080),
    )
    after = labels(spec, begun, tally, {}, NOW + timedelta(days=9))
    drift = watch(spec, None, served(1), None, NOW).status.model_copy(update={"labels": after})
    item = {**deployment(), "status": DeploymentStatus(drift=drift).render()}
    assert refused("modeldeployments", item) == []
