"""Which requests two versions can be compared on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from pawl.serving.codec.base import Predictions
from pawl.serving.monitor import memory as m
from pawl.serving.monitor.predictions import Scores
from pawl.serving.monitor.sample import hash_of

Made = Callable[..., Any]


def ids(count: int, seed: int = 0) -> list[str]:
    random = np.random.default_rng(seed)
    return [str(UUID(bytes=random.bytes(16), version=4)) for _ in range(count)]


def test_a_pair_says_what_was_answered(pod: Any, epoch: int) -> None:
    pod.answer(score=0.75, took=0.25, x_request_id="abc")
    pod.wait(1)
    told = pod.pairs()
    assert (told["format"], told["version"], told["kind"]) == (1, 7, "score")
    assert (told["from"], told["to"]) == (epoch, epoch + 1)
    assert told["pairs"] == [[hash_of(b"abc"), epoch, 1, 0.75, 0.25, 200]]


def test_where_copies_have_other_ids_their_bodies_join_them(pod_of: Made) -> None:
    stable, shadow = pod_of(pair_by_body=True), pod_of(pair_by_body=True)
    stable.answer(body=b"one", x_request_id="a")
    shadow.answer(score=0.9, body=b"one", x_request_id="b")
    for pod in (stable, shadow):
        pod.wait(1)
    assert stable.pairs()["pairs"][0][0] == shadow.pairs()["pairs"][0][0] == hash_of(b"one")


def test_a_failed_request_says_nothing_but_its_status(pod: Any) -> None:
    pod.answer(503, x_request_id="abc")
    pod.wait(1)
    assert pod.pairs()["pairs"][0][2:4] == [None, None]
    assert pod.pairs()["pairs"][0][5] == 503


def test_what_is_not_finite_is_null(pod: Any) -> None:
    pod.answer(score=float("nan"), x_request_id="abc")
    pod.wait(1)
    assert pod.pairs()["pairs"][0][3] is None


def test_requests_without_an_id_are_not_sampled(pod: Any) -> None:
    pod.answer()
    pod.wait(1)
    assert pod.pairs()["pairs"] == []


def test_of_many_the_smallest_hashes_are_kept(pod: Any) -> None:
    sent = ids(5000)
    for request_id in sent:
        pod.answer(x_request_id=request_id)
    pod.wait(1)
    found = [pair[0] for pair in pod.pairs()["pairs"]]
    assert found == sorted(hash_of(request_id.encode()) for request_id in sent)[: m.SAMPLE]


def test_samples_of_two_versions_that_saw_the_same_hold_the_same(pod_of: Made) -> None:
    stable, shadow = pod_of(2), pod_of()
    for index, request_id in enumerate(ids(3000)):
        stable.answer(x_request_id=request_id, process=index % 2)
        shadow.answer(score=0.9, x_request_id=request_id)
    for pod in (stable, shadow):
        pod.wait(1)
    left, right = ({pair[0] for pair in pod.pairs()["pairs"]} for pod in (stable, shadow))
    assert left == right
    assert len(left) == m.SAMPLE


def test_an_id_that_comes_again_counts_once(pod: Any) -> None:
    pod.answer(score=0.1, x_request_id="abc")
    pod.answer(score=0.9, x_request_id="abc")
    pod.wait(1)
    assert [pair[3] for pair in pod.pairs()["pairs"]] == [0.1]


def test_every_second_has_a_sample_of_its_own(pod: Any, epoch: int) -> None:
    for request_id in ids(2000):
        pod.answer(x_request_id=request_id)
    pod.wait(1)
    pod.answer(x_request_id="late")
    pod.wait(1)
    assert [pair[1] - epoch for pair in pod.pairs()["pairs"]] == [0] * m.SAMPLE + [1]
    assert len(pod.pairs(1, 2)["pairs"]) == 1


def test_pairs_are_kept_for_two_minutes(pod: Any, epoch: int) -> None:
    for request_id in ids(300):
        pod.answer(x_request_id=request_id)
        pod.wait(1)
    told = pod.pairs(0, 300)
    assert (told["from"] - epoch, told["to"] - epoch, len(told["pairs"])) == (180, 300, 120)


@pytest.mark.parametrize(
    ("classes", "said", "kind", "expected"),
    [
        pytest.param((), Predictions([1.5]), "value", [None, 1.5], id="regression"),
        pytest.param(
            ("a", "b", "c"),
            Predictions([0.2, 0.7, 0.1], ["b"], 3),
            "class",
            [1, 0.7],
            id="several classes",
        ),
        pytest.param(
            (False, True),
            Predictions([0.2], [False]),
            "score",
            [0, 0.2],
            id="two classes",
        ),
    ],
)
def test_kinds_of_predictions(
    classes: Any, said: Predictions, kind: str, expected: list[Any], signature_of: Made
) -> None:
    scores = Scores(signature_of(*classes), None)
    assert scores.kind == kind
    label, value = scores.pair(said, 0)
    assert [None if label == m.NO_LABEL else label, value] == expected
