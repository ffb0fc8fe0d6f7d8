"""The model card: slices with intervals, importance, limits and lineage; the same each time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.records import (
    Agreement,
    Baseline,
    CategoryBaseline,
    DataLineage,
    Importance,
    Lineage,
    Metrics,
    NumericBaseline,
    Signature,
    SliceScore,
    Tensor,
)
from pawl.artifacts.runs import Move, Moved
from pawl.stats.metrics import Answers
from pawl.training import card
from pawl.training.slice_scores import FEWEST, MOST_VALUES, slice_scores

DIGEST = "sha256:" + "ab" * 32
AGE = NumericBaseline(name="age", edges=(), counts=(10,), fine_edges=(), fine_counts=(10,),
                      fine_sums=(1.0,), minimum=18, maximum=80, missing=1)  # fmt: skip
PLAN = CategoryBaseline(name="plan", categories=("a", "b"), counts=(5, 5), other=0, missing=0)
SIGNATURE = Signature(
    task="binary",
    inputs=(Tensor(name="age", datatype="FP64", shape=(-1,)),
            Tensor(name="plan", datatype="BYTES", shape=(-1,))),
    outputs=(),
)  # fmt: skip
PROFILE = Baseline(rows=10, numeric=(AGE,), categorical=(PLAN,), prediction_rows=4, prediction=AGE)


def rendered(moved: Moved | None = None, **metrics: Any) -> str:
    lineage = Lineage(
        data=DataLineage(uri="s3://lake/x", digest=DIGEST, rows=14, train_rows=6,
                         validation_rows=4, test_rows=4, newest="2026-11-01T00:00:00Z"),
        recipe_digest=DIGEST, trainer={"sklearn": {"estimator": "x.Y"}}, parameters={}, seed=3,
        image="pawl/trainer:1", environment={"numpy": "2.0"}, environment_digest=DIGEST,
    )  # fmt: skip
    scores = Metrics(rows=4, values={"roc_auc": 0.9}, dummy={"roc_auc": 0.5}, **metrics)
    return card.render(SIGNATURE, scores, lineage, PROFILE, moved=moved)


def test_inputs_are_told_with_what_training_had():
    text = rendered()
    assert "| age | FP64 | 18 to 80 | 10.0% |" in text
    assert "| plan | BYTES | 2 frequent categories | 0.0% |" in text


def test_slices_are_told_with_intervals_and_how_far_apart_they_are():
    text = rendered(
        slices=(
            SliceScore(column="gender", value="f", rows=40, metric="roc_auc", score=0.8,
                       interval=(0.7, 0.9), positive=0.25),
            SliceScore(column="gender", value="m|x", rows=50, metric="roc_auc", score=0.9,
                       interval=(0.8, 0.95), positive=0.5),
            SliceScore(column="gender", value="x", rows=3, metric="roc_auc"),
        )
    )  # fmt: skip
    assert "| f | 40 | 0.8000 | 0.7000 to 0.9000 | 25.0% |" in text
    assert "| m\\|x | 50 |" in text
    assert "Demographic parity difference over `gender`: 0.2500." in text
    assert f"fewer than {FEWEST} rows or one class: gender x" in text


def test_importance_limits_and_lineage_are_told():
    text = rendered(importance=(Importance(feature="age", drop=0.1, spread=0.01),))
    assert "| age | 0.1000 ± 0.0100 |" in text
    assert "up to 2026-11-01" in text
    assert "No slices were looked at" in text
    assert f"recipe `{DIGEST}`" in text
    assert "numpy 2.0" in text


def test_agreement_of_annotators_is_told():
    agreement = Agreement(
        annotators=3, kappa=0.71, interval=(0.65, 0.77), rows=1200, disputed=300, tied=12
    )
    assert (
        "Labels: 3 annotators agree with Fleiss' kappa 0.71 (95 % interval 0.65 to 0.77, 1,200 "
        "rows with two labels or more); they differ on 300 rows, of which 12 are tied and left out."
    ) in rendered(agreement=agreement)


def spec(**data: Any) -> TrainingJobSpec:
    given = {"uri": "s3://x", "task": "binary", "target": "t", **data}
    return TrainingJobSpec.model_validate(
        {"model": "m", "data": given, "trainer": {"sklearn": {"estimator": "x.Y"}}}
    )


@pytest.fixture
def answers() -> tuple[np.ndarray, Answers]:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 300)
    positive = np.clip(truth * 0.4 + rng.random(300) * 0.6, 0, 1)
    scores = np.column_stack([1 - positive, positive])
    return truth, Answers(labels=(positive > 0.5).astype(np.int64), scores=scores)


def test_sensitive_columns_are_scored_value_by_value(answers: tuple[np.ndarray, Answers]):
    truth, said = answers
    values = ["a"] * 150 + ["b"] * 140 + ["c"] * 10
    found = slice_scores(spec(sensitive=["g"]), "roc_auc", pa.table({"g": values}), truth, said)
    assert [(one.value, one.rows) for one in found] == [("a", 150), ("b", 140), ("c", 10)]
    a, _, c = found
    assert a.score is not None
    assert a.interval is not None
    assert a.interval[0] < a.score < a.interval[1]
    assert said.labels is not None
    assert a.positive == pytest.approx(float(np.mean(said.labels[:150])))
    assert (c.score, c.interval) == (None, None)


def test_a_slice_of_one_class_has_no_score(answers: tuple[np.ndarray, Answers]):
    truth, said = answers
    table = pa.table({"g": [str(t) for t in truth]})
    found = slice_scores(spec(sensitive=["g"]), "roc_auc", table, truth, said)
    assert [one.score for one in found] == [None, None]
    assert all(one.positive is not None for one in found)


def test_columns_with_many_values_are_not_looked_at(answers: tuple[np.ndarray, Answers]):
    truth, said = answers
    values = [str(i % (MOST_VALUES + 1)) for i in range(300)]
    table = pa.table({"g": values})
    assert slice_scores(spec(sensitive=["g"]), "roc_auc", table, truth, said) == ()


def test_what_has_moved_is_told_last_and_does_not_last():
    far = (Move(feature="age", psi=0.31), Move(feature="plan\n## Moved since", psi=0.0))
    text = rendered(Moved(version="churn-v6", digest=DIGEST, compared=40, features=far))
    assert "## Moved since churn-v6 was trained" in text
    assert "| age | 0.3100 |" in text
    assert "38 more have moved less." in text
    assert card.lasting(text) == rendered() == card.lasting(rendered())


def test_without_features_that_can_be_compared_nothing_is_told_to_have_moved():
    none = Moved(version="churn-v6", digest=DIGEST, compared=0, features=())
    assert rendered(none) == rendered()
