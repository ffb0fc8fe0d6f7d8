"""What is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pawl.artifacts.records import CategoryBaseline
from pawl.serving.monitor import memory as m
from pawl.serving.monitor.memory import Memory
from pawl.serving.monitor.predictions import Scores
from pawl.serving.monitor.recorder import MAX_REMEMBERED
from pawl.stats import loghist, valuehist

Made = Callable[..., Any]


def test_answers_are_counted_by_what_they_are(pod: Any) -> None:
    for status in (200, 200, 400, 429, 500, 503, 503):
        pod.answer(status)
    pod.wait(1)
    told = pod.monitor()
    assert (told["requests"], told["errors"], told["refused"], told["rows"]) == (7, 3, 2, 2)


def test_the_head_says_whose_counts_these_are(pod: Any, epoch: int) -> None:
    told = pod.monitor()
    assert told["format"] == 1
    assert (told["model"], told["version"], told["digest"]) == ("churn", 7, "sha256:0")
    assert told["started"] == epoch


def test_latencies_are_those_of_answers_that_are_no_errors(pod: Any) -> None:
    pod.answer(took=0.003)
    pod.answer(took=0.003)
    pod.answer(took=2.0)
    pod.answer(503, took=0.0001)
    pod.wait(1)
    expected = {str(loghist.index(0.003)): 2, str(loghist.index(2.0)): 1}
    assert pod.monitor()["latency"] == expected


def test_latencies_of_a_young_pod_are_not_told(pod_of: Made) -> None:
    pod = pod_of(warm_up=60)
    pod.answer()
    pod.wait(59)
    pod.answer()
    pod.wait(1)
    assert (pod.monitor(0, 60)["latency"], pod.monitor(0, 60)["young"]) == ({}, True)
    pod.answer()
    pod.wait(1)
    assert pod.monitor(60, 61)["young"] is False
    assert sum(pod.monitor(60, 61)["latency"].values()) == 1
    assert pod.monitor(0, 61)["young"] is True


def test_scores_fall_into_the_bins_of_the_baseline(pod: Any) -> None:
    for score in (0.1, 0.2, 0.21, 0.8, 0.9, float("nan")):
        pod.answer(score=score)
    pod.wait(1)
    told = pod.monitor()
    assert told["scoreKind"] == "numeric"
    assert told["scores"] == [2, 2, 1, 1]
    assert told["edges"] == [0.2, 0.8]
    assert told["valueKind"] == "logit"
    assert told["values"][str(valuehist.index(0.9, valuehist.LOGIT))] == 1
    assert sum(told["values"].values()) == 5


def test_many_answers_are_counted_as_one_by_one(pod: Any) -> None:
    scores = np.random.default_rng(1).uniform(size=5 * MAX_REMEMBERED + 7)
    for score in scores:
        pod.answer(score=float(score))
    pod.wait(1)
    expected = np.bincount(np.searchsorted([0.2, 0.8], scores), minlength=3).tolist()
    assert pod.monitor()["scores"] == [*expected, 0]
    assert pod.monitor()["requests"] == len(scores)


def count(scores: Scores, said: list[Any]) -> Any:
    cells = Memory().cells(60)
    scores.count(said, cells)
    return cells[0]


def test_classes_are_counted_by_name(signature_of: Made) -> None:
    table = CategoryBaseline(
        name="prediction", categories=("true", "false"), counts=(1, 1), other=0, missing=0
    )
    scores = Scores(signature_of("false", "true"), table)
    cells = count(scores, [True, False, True, None, 7])
    assert scores.score_kind == "category"
    assert cells.scores[: scores.width].tolist() == [2, 1, 1, 1]


def test_with_very_many_classes_the_rest_is_other(signature_of: Made) -> None:
    names = tuple(map(str, range(1000)))
    table = CategoryBaseline(
        name="prediction", categories=names, counts=(1,) * 1000, other=0, missing=0
    )
    scores = Scores(signature_of(*names), table)
    cells = count(scores, list(names))
    assert scores.width == m.SCORES
    assert cells.scores.tolist() == [1] * 254 + [746, 0]


def test_numbers_are_counted_without_a_baseline_too(signature_of: Made) -> None:
    scores = Scores(signature_of(), None)
    cells = count(scores, [-2.0, 0.0, 3.0, np.inf])
    assert (scores.score_kind, scores.width, scores.value_kind) == (None, 0, "log")
    assert cells.values.sum() == 3
    assert cells.scores.sum() == 0


def test_users_are_counted_in_salted_buckets(pod: Any) -> None:
    for _ in range(3):
        pod.answer(x_pawl_user="ann", x_pawl_salt="s")
    pod.answer(503, x_pawl_user="ann", x_pawl_salt="s")
    pod.answer()
    pod.wait(1)
    ((bucket, n, errors),) = pod.monitor()["users"]
    assert (n, errors) == (4, 1)
    pod.answer(x_pawl_user="ann", x_pawl_salt="t")
    pod.wait(1)
    assert {found[0] for found in pod.monitor(1, 2)["users"]} != {bucket}


def test_all_servers_put_a_user_into_the_same_bucket(pod_of: Made) -> None:
    told = []
    for _ in range(2):
        pod = pod_of()
        for user in range(5000):
            pod.answer(x_pawl_user=str(user), x_pawl_salt="s")
        pod.wait(1)
        told.append(pod.monitor()["users"])
    assert told[0] == told[1]
    counts = [n for _, n, _ in told[0]]
    assert (sum(counts), len(counts)) == (5000, m.BUCKETS)
    assert max(counts) < 30


def test_users_are_not_told_where_there_are_none(pod: Any) -> None:
    pod.answer()
    pod.wait(1)
    assert "users" not in pod.monitor()


def test_a_row_that_is_used_again_is_empty(pod: Any) -> None:
    pod.answer(x_pawl_user="ann")
    pod.wait(m.RING)
    pod.answer()
    pod.wait(1)
    told = pod.monitor(m.RING, m.RING + 1)
    assert told["requests"] == 1
    assert "users" not in told


@pytest.mark.parametrize("status", [200, 500])
def test_nothing_is_counted_twice_when_the_buffer_is_full(status: int, pod: Any) -> None:
    for _ in range(20 * MAX_REMEMBERED):
        pod.answer(status)
    pod.wait(1)
    assert pod.monitor()["requests"] == 20 * MAX_REMEMBERED


def test_requests_are_answered_though_the_monitor_fails(
    pod: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise ValueError

    monkeypatch.setattr(pod.recorders[0]._scores, "count", broken)
    for _ in range(3 * MAX_REMEMBERED):
        pod.answer()
    pod.wait(1)
    assert "could not count" in caplog.text
    assert pod.monitor()["requests"] == 3 * MAX_REMEMBERED
