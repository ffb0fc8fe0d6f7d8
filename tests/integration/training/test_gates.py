"""Gates of every kind, on columns that are no features too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pawl.artifacts.runs import StoreRef
from pawl.constants import EXIT_USER_ERROR


@pytest.fixture(scope="module")
def customers(tmp_path_factory: pytest.TempPathFactory) -> str:
    """4,000 rows whose outcome is easy to tell for plan a and a coin for plan b."""
    generator = np.random.default_rng(1)
    n = 4000
    x = generator.normal(0, 1, n)
    plan = generator.choice(["a", "b"], n, p=[0.7, 0.3])
    odds = np.where(plan == "a", 4 * x, 0)
    outcome = generator.random(n) < 1 / (1 + np.exp(-odds))
    columns = {
        "id": [f"c{i}" for i in range(n)],
        "x": x,
        "plan": plan,
        "gender": generator.choice(["f", "m"], n),
        "outcome": outcome.astype(int),
    }
    path: Path = tmp_path_factory.mktemp("data") / "customers.parquet"
    pq.write_table(pa.table(columns), path)
    return path.as_uri()


@pytest.fixture
def recipe(customers: str) -> dict[str, Any]:
    return {
        "model": "churn",
        "data": {
            "uri": customers,
            "task": "binary",
            "target": "outcome",
            "idColumns": ["id"],
            "ignore": ["plan"],
            "sensitive": ["gender"],
        },
        "trainer": {"sklearn": {"estimator": "sklearn.linear_model.LogisticRegression"}},
    }


def gated(recipe: dict[str, Any], *gates: Any) -> dict[str, Any]:
    return {**recipe, "evaluation": {"gates": list(gates)}}


def test_each_kind_is_decided(recipe: dict[str, Any], pod: Any) -> None:
    result = pod(
        gated(
            recipe,
            {"metric": "roc_auc", "min": 0.7, "slice": {"column": "plan"}},
            {"fairness": "demographic_parity_difference", "attribute": "gender", "max": 0.2},
            {"calibration": {"max": 0.3}},
            {"proxy": {"column": "gender", "max": 0.6}},
            {"sizeBytes": {"max": 10_000_000}},
            {"latencyMillis": {"max": 60_000}},
        )
    ).all()
    found = {gate.metric: gate for gate in result.gates if gate.kind != "dummy"}
    verdicts = {name: gate.verdict for name, gate in found.items()}
    assert verdicts == {
        "roc_auc": "Fail",
        "demographic_parity_difference": "Pass",
        "calibration_error": "Pass",
        "proxy": "Pass",
        "size_bytes": "Pass",
        "latency_millis": "Pass",
    }
    assert [(part.name, part.verdict) for part in found["roc_auc"].slices] == [
        ("b", "Fail"),
        ("a", "Pass"),
    ]
    assert sum(part.n for part in found["roc_auc"].slices) == result.lineage.data.test_rows


def test_what_gives_a_sensitive_column_away_is_told_on_the_card(
    recipe: dict[str, Any], pod: Any
) -> None:
    data = {**recipe["data"], "ignore": [], "sensitive": ["gender", "outcome_of_old"]}
    table = pq.read_table(recipe["data"]["uri"].removeprefix("file://"))
    path = Path(recipe["data"]["uri"].removeprefix("file://")).with_name("more.parquet")
    old = np.abs(np.asarray(table.column("x"))) > 0.7
    pq.write_table(table.append_column("outcome_of_old", pa.array(np.where(old, "y", "n"))), path)
    gate = {"proxy": {"column": "outcome_of_old", "max": 0.8}, "required": False}
    made = pod(gated({**recipe, "data": {**data, "uri": path.as_uri()}}, gate))
    result = made.all()
    (warned,) = [text for text in result.warnings if "sensitive" in text]
    assert warned.startswith('sensitive column "outcome_of_old" can be predicted from the features')
    assert [gate.verdict for gate in result.gates if gate.metric == "proxy"] == ["Fail"]
    card = (made.work / "bundle" / "card.md").read_text()
    assert "## What the features tell of sensitive columns" in card
    assert "* `gender`: AUC of " in card


def test_the_champion_is_met_on_the_same_rows_of_each_slice(
    recipe: dict[str, Any], pod: Any
) -> None:
    gate = {"metric": "roc_auc", "champion": {"notWorseBy": 0.02}, "slice": {"column": "plan"}}
    first = pod(gated(recipe, gate)).all()
    constant = {"sklearn": {"estimator": "sklearn.dummy.DummyClassifier"}}
    blind = gated({**recipe, "trainer": constant}, gate)
    champion = StoreRef(name="churn-v1", uri=first.artifact.uri, digest=first.artifact.digest)
    (found,) = pod(blind, uid="second", champion=champion).all().gates
    assert found.verdict == "Fail"
    assert {part.name: part.verdict for part in found.slices}["a"] == "Fail"


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("plam", 'column "plam" (evaluation.gates[0]) is not in the data; did you mean "plan"'),
        ("id", "a gate looks at each value of column"),
    ],
)
def test_a_column_that_cannot_be_judged_by_ends_the_run_before_training(
    recipe: dict[str, Any], pod: Any, column: str, said: str
) -> None:
    made = pod(gated(recipe, {"metric": "recall", "min": 0.1, "slice": {"column": column}}))
    made.stage("prepare", expect=EXIT_USER_ERROR)
    assert said in made.termination.message
