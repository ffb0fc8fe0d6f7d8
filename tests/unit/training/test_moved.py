"""Training rows against those of the champion, by its baseline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pawl.artifacts.records import Baseline
from pawl.artifacts.runs import StoreRef
from pawl.errors import DataError
from pawl.stats.metrics import Answers
from pawl.training import baseline, moved
from pawl.training.features import Matrix

N = 3000


def matrix(seed: int, shift: float = 0.0, share: float = 0.5, gaps: float = 0.0) -> Matrix:
    g = np.random.default_rng(seed)
    numbers = g.normal(shift, 1, (N, 2))
    numbers[:, 1] -= shift  # the second stays
    numbers[g.random(N) < gaps, 1] = np.nan
    texts = g.choice(["basic", "pro"], (N, 1), p=[share, 1 - share]).astype(object)
    return Matrix(numbers, texts, ("age", "balance"), ("plan",))


def then() -> Baseline:
    said = Answers(values=np.zeros(10))
    return baseline.build(matrix(0), said, "regression", ())


def test_the_same_mix_has_not_moved() -> None:
    found = moved.moves(then(), matrix(1))
    assert set(found) == {"age", "balance", "plan"}
    assert max(found.values()) < 0.02


@pytest.mark.parametrize(
    ("now", "feature"),
    [
        pytest.param({"shift": 0.6}, "age", id="a number"),
        pytest.param({"share": 0.2}, "plan", id="a category"),
        pytest.param({"gaps": 0.1}, "balance", id="missing values"),
    ],
)
def test_what_has_moved_is_told_alone(
    now: dict[str, float], feature: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moved, "baseline", lambda _: then())
    found, (sentence,) = moved.since(CHAMPION, matrix(2, **now))
    assert sentence.startswith("1 of 3 features have moved since churn-v3 was trained: ")
    assert f"{feature} (psi " in sentence
    assert found is not None
    assert (found.version, found.compared) == ("churn-v3", 3)
    first, *others = found.features
    assert first.feature == feature
    assert all(one.psi < moved.LIMIT < first.psi for one in others)


def test_of_many_features_the_farthest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    many = {f"f{i:03d}": i / 1000 for i in range(moved.MOST_KEPT + 10)}
    monkeypatch.setattr(moved, "baseline", lambda _: then())
    monkeypatch.setattr(moved, "moves", lambda *_: many)
    found, _ = moved.since(CHAMPION, matrix(1))
    assert found is not None
    assert (found.compared, len(found.features)) == (len(many), moved.MOST_KEPT)
    assert (found.features[0].feature, found.features[-1].feature) == ("f265", "f010")


CHAMPION = StoreRef(name="churn-v3", uri="file:///nowhere/bundle", digest="sha256:" + "0" * 64)


def test_a_category_that_is_new_counts_as_another() -> None:
    other = matrix(3)
    other.categorical[: N // 2] = "gold"
    assert moved.moves(then(), other)["plan"] > moved.LIMIT


def test_only_features_that_both_have_are_compared() -> None:
    one = Matrix(np.zeros((9, 1)), np.empty((9, 0), dtype=object), ("new",), ())
    assert moved.moves(then(), one) == {}


def test_a_champion_that_cannot_be_read_ends_no_run() -> None:
    found, (sentence,) = moved.since(CHAMPION, matrix(1))
    assert found is None
    assert sentence.startswith("features cannot be compared with those of churn-v3: ")


def test_a_bare_model_has_no_baseline() -> None:
    bare: Any = CHAMPION.model_copy(update={"uri": "s3://models/x.onnx"})
    assert moved.since(bare, matrix(1)) == (None, ())


def test_what_has_moved_too_far_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moved, "baseline", lambda _: then())
    with pytest.raises(DataError, match=r"age \(psi .*\); at most 0\.3 \(maxPsi\) may be"):
        moved.since(CHAMPION, matrix(2, shift=0.9), most=0.3)
    _, told = moved.since(CHAMPION, matrix(2, shift=0.9), most=9.0)
    assert told
