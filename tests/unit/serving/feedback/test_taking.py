"""Feedback requests: what they count, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.errors import SignatureError
from pawl.serving.errors import TooLargeError
from pawl.serving.feedback.ledger import age_bucket, age_minutes
from pawl.serving.feedback.message import MAX_ENTRIES, parse_feedback
from pawl.serving.feedback.seen import Seen
from pawl.serving.monitor import memory as m
from pawl.serving.monitor.memory import Memory
from pawl.stats import valuehist

Made = Callable[..., Any]
NOW = 1_790_000_000
DAY = 86_400


def test_right_and_wrong_are_counted_for_the_version_that_predicted(
    pod: Any, token_of: Made
) -> None:
    found = pod.take(
        (token_of("yes"), "yes"), (token_of("yes"), "no"), (token_of("no", version="8"), "no")
    )
    assert found == {"accepted": 3, "repeated": 0, "expired": 0}
    told = pod.told()
    assert (told["7"]["n"], told["7"]["wrong"]) == (2, 1)
    assert (told["8"]["n"], told["8"]["wrong"]) == (1, 0)


def test_errors_of_values_are_counted(pod_of: Made, token_of: Made) -> None:
    pod = pod_of(classes=())
    pod.take((token_of(3.0, classes=()), 1), (token_of(1.0, 5.0, classes=()), [4, None]))
    told = pod.told()["7"]
    assert (told["n"], told["sum"], told["squares"]) == (2, 5.0, 13.0)
    assert told["absoluteError"] == {
        str(valuehist.index(2.0, valuehist.LOG)): 1,
        str(valuehist.index(3.0, valuehist.LOG)): 1,
    }
    assert "wrong" not in told


def test_sums_stay_finite(pod_of: Made, token_of: Made) -> None:
    pod = pod_of(classes=())
    pod.take((token_of(1e300, classes=()), -1e300))
    assert pod.told()["7"]["sum"] == 1e150
    assert pod.told()["7"]["squares"] < float("inf")


def test_an_exact_value_has_an_error_of_zero(pod_of: Made, token_of: Made) -> None:
    pod = pod_of(classes=())
    pod.take((token_of(3.0, classes=()), 3.0))
    assert pod.told()["7"]["absoluteError"] == {str(valuehist.index(0.0, valuehist.LOG)): 1}


def test_rows_without_truth_are_left_out(pod: Any, token_of: Made) -> None:
    pod.take((token_of("yes", "no", "yes"), ["yes", None, "no"]))
    assert (pod.told()["7"]["n"], pod.told()["7"]["wrong"]) == (2, 1)


def test_a_label_that_was_not_given_is_wrong_a_value_says_nothing(
    pod_of: Made, token_of: Made
) -> None:
    pod = pod_of()
    pod.take((token_of(None), "yes"), (token_of(float("nan"), version="8", classes=()), 1.0))
    assert (pod.told()["7"]["n"], pod.told()["7"]["wrong"]) == (1, 1)
    assert pod.told()["8"]["n"] == 0


def test_a_token_counts_once(pod: Any, token_of: Made) -> None:
    token = token_of("yes")
    assert pod.take((token, "yes"), (token, "yes")) == {"accepted": 1, "repeated": 1, "expired": 0}
    assert pod.take((token, "no")) == {"accepted": 0, "repeated": 1, "expired": 0}
    assert (pod.told()["7"]["n"], pod.told()["7"]["wrong"]) == (1, 0)


def test_a_token_counts_once_whichever_process_gets_it(pod_of: Made, token_of: Made) -> None:
    pod, token = pod_of(processes=2), token_of("yes")
    assert pod.take((token, "yes"), process=1)["accepted"] == 1
    assert pod.take((token, "yes"), process=0)["repeated"] == 1
    assert pod.take((token_of("yes"), "no"), process=0)["accepted"] == 1
    assert (pod.told()["7"]["n"], pod.told()["7"]["wrong"]) == (2, 1)


def test_old_tokens_expire_and_are_told_as_late(pod_of: Made, token_of: Made) -> None:
    pod = pod_of(max_age=DAY)
    old = token_of("yes", made=NOW - DAY - 1)
    assert pod.take((old, "yes"), (token_of("yes", made=NOW - DAY), "yes")) == {
        "accepted": 1, "repeated": 0, "expired": 1,
    }  # fmt: skip
    assert pod.take((old, "yes"))["repeated"] == 1
    assert (pod.told()["7"]["n"], pod.told()["7"]["late"]) == (1, 1)


@pytest.mark.parametrize(
    ("seconds", "least"),
    [(-5, 0), (0, 0), (59, 0), (60, 1), (119, 1), (120, 2), (3600, 32), (7 * DAY, 8192),
     (30 * DAY, 32_768), (1000 * DAY, 32_768)],
)  # fmt: skip
def test_ages_are_told_in_buckets_that_double(seconds: int, least: int) -> None:
    assert age_minutes(age_bucket(seconds)) == least


def test_counts_are_told_by_age_weight_and_group(pod: Any, token_of: Made) -> None:
    pod.take(
        (token_of("yes", made=NOW - 130, weight="5", group="a"), "no"),
        (token_of("yes", made=NOW + 30, weight="95"), "yes"),
    )
    pod.take((token_of("yes", group="a"), "yes"), group="b")
    told = pod.told()["7"]
    assert told["age"] == {"0": [2, 0], "2": [1, 1]}
    assert told["weights"] == {"5": [1, 1], "95": [1, 0], "100": [1, 0]}
    assert told["groups"] == {"a": [1, 1], "b": [1, 0]}
    assert told["otherGroups"] == [0, 0]


def test_there_are_sixteen_groups_at_most(pod_of: Made, token_of: Made) -> None:
    pod = pod_of(processes=2)
    for number in range(40):
        pod.take((token_of("yes", group=f"g{number}"), "yes"), process=number % 2)
    told = pod.told()["7"]
    assert len(told["groups"]) == m.GROUPS
    assert told["otherGroups"][0] + sum(n for n, _ in told["groups"].values()) == 40


def test_a_group_that_was_not_seen_for_long_makes_room(pod: Any, token_of: Made) -> None:
    for number in range(m.GROUPS):
        pod.take((token_of("yes", group=f"g{number}"), "yes"))
    pod.now += 3 * 3600
    pod.take((token_of("yes", group="new"), "yes"))
    assert pod.told(3 * 3600, 4 * 3600)["7"]["groups"] == {"new": [1, 0]}


def test_more_versions_than_there_is_room_for_are_not_counted(pod: Any, token_of: Made) -> None:
    for number in range(m.VERSIONS - 1):
        assert pod.take((token_of("yes", version=f"o{number}"), "yes"))["accepted"] == 1
    assert pod.take((token_of("yes", version="more"), "yes"))["expired"] == 1
    assert pod.take((token_of("yes"), "yes"))["accepted"] == 1
    pod.now += 3 * 3600
    assert pod.take((token_of("yes", version="more"), "yes"))["accepted"] == 1
    assert set(pod.told(3 * 3600, 4 * 3600)) == {"more"}


def test_feedback_is_told_for_when_it_came(pod: Any, token_of: Made) -> None:
    pod.take((token_of("yes"), "yes"))
    pod.now += 10
    pod.take((token_of("yes"), "no"))
    assert pod.told(0, 1)["7"]["wrong"] == 0
    assert pod.told(10, 11)["7"]["wrong"] == 1
    assert pod.told(1, 10) == {}


def test_truth_that_is_no_class_is_refused(pod: Any, token_of: Made) -> None:
    with pytest.raises(SignatureError, match=r'feedback\[1\]\.truth: "Yes" is none of'):
        pod.take((token_of("yes"), "yes"), (token_of("yes"), "Yes"))
    assert pod.told() == {}


def test_a_version_may_have_had_other_classes(pod: Any, token_of: Made) -> None:
    token = token_of("maybe", version="6", classes=("no", "maybe", "yes"))
    assert pod.take((token, "maybe"))["accepted"] == 1
    assert pod.told()["6"]["wrong"] == 0


@pytest.mark.parametrize("truth", ["x", True, 1e301])
def test_truth_that_is_no_number_is_refused(truth: Any, pod_of: Made, token_of: Made) -> None:
    with pytest.raises(SignatureError, match="is no number"):
        pod_of(classes=()).take((token_of(1.0, classes=()), truth))


def test_nothing_of_a_request_with_a_bad_token_is_counted(pod: Any, token_of: Made) -> None:
    good = token_of("yes")
    with pytest.raises(SignatureError, match=r"feedback\[1\]\.token: "):
        pod.take((good, "yes"), ("AAAA", "yes"))
    assert pod.take((good, "yes"))["accepted"] == 1


def test_there_must_be_as_many_truths_as_rows(pod: Any, token_of: Made) -> None:
    with pytest.raises(SignatureError, match=r"feedback\[0\]\.truth: 1 for a prediction of 2 rows"):
        pod.take((token_of("yes", "no"), "yes"))


@pytest.mark.parametrize(
    ("message", "words"),
    [
        pytest.param("[]", "feedback: a list", id="no object"),
        pytest.param("{", "not JSON", id="no JSON"),
        pytest.param('{"feedback": []}', "feedback: a list", id="empty"),
        pytest.param('{"feedback": [1]}', r"feedback\[0\]: must be an object", id="no entry"),
        pytest.param('{"feedback": [{"truth": 1}]}', r"\[0\]\.token: a string", id="no token"),
        pytest.param('{"feedback": [{"token": 1, "truth": 1}]}', "token", id="token of no text"),
        pytest.param('{"feedback": [{"token": "a"}]}', "truth: is missing", id="no truth"),
        pytest.param(
            '{"feedback": [{"token": "a", "truth": [null]}]}', "is missing", id="truth unknown"
        ),
        pytest.param('{"feedback": [{"token": "a", "truth": [[1]]}]}', "is no truth", id="nested"),
        pytest.param(
            '{"feedback": [{"token": "a", "truth": {"b": 1}}]}', "is no truth", id="object"
        ),
        pytest.param(
            orjson.dumps({"feedback": [{"token": "a", "truth": "x" * 2000}]}).decode(),
            "is no truth",
            id="long",
        ),
        pytest.param(
            orjson.dumps({"feedback": [{"token": "a", "truth": [1] * 65}]}).decode(),
            "at most 64 rows",
            id="many rows",
        ),
        pytest.param('{"feedback": [{"token": "a", "truth": 1, "group": 5}]}', "group", id="group"),
    ],
)
def test_a_body_that_cannot_be_read_is_said(message: str, words: str) -> None:
    with pytest.raises(SignatureError, match=words):
        parse_feedback(message.encode())


def test_requests_are_bounded(pod: Any, token_of: Made) -> None:
    entry = {"token": "a", "truth": 1}
    body = orjson.dumps({"feedback": [entry] * (MAX_ENTRIES + 1)})
    with pytest.raises(TooLargeError, match="1001 entries"):
        parse_feedback(body)
    with pytest.raises(TooLargeError, match="10000 truths"):
        pod.take(*[("a", [1] * 64)] * 200)


@given(st.binary(max_size=300))
def test_any_body_is_answered(body: bytes) -> None:
    with pytest.raises((SignatureError, TooLargeError)):
        parse_feedback(body)


def test_about_a_million_tokens_are_remembered() -> None:
    seen = Seen(Memory())
    ids = [int.from_bytes(os.urandom(8), "big") for _ in range(3000)]
    assert all(seen.add(ids))
    assert not any(seen.add(ids))
    assert m.SEEN[0] * m.SEEN[1] == 2**20


def test_the_oldest_of_a_set_is_forgotten_first() -> None:
    seen = Seen(Memory())
    sets, ways = m.SEEN
    ids = [1 + number * sets for number in range(ways + 1)]
    assert all(seen.add(ids))
    assert seen.add(ids[1:]) == [False] * ways
    assert seen.add(ids[:1]) == [True]


def test_of_two_classes_it_is_counted_which_was_taken_for_which(pod: Any, token_of: Made) -> None:
    pod.take(
        (token_of("yes", "yes", "yes", "yes"), ["yes", "yes", "yes", "no"]),
        (token_of("no", "no", "no"), ["yes", "yes", None]),
        (token_of("no"), "no"),
        (token_of(None), "yes"),
    )
    told = pod.told()["7"]
    assert told["confusion"] == {"tp": 3, "fp": 1, "fn": 2, "tn": 1}
    assert (told["n"], told["wrong"]) == (8, 4)


def test_it_is_counted_by_group_too(pod_of: Made, token_of: Made) -> None:
    pod = pod_of(processes=2)
    pod.take((token_of("yes", group="a"), "yes"), process=0)
    pod.take((token_of("yes", group="a"), "no"), (token_of("no"), "no"), process=1)
    told = pod.told()["7"]
    assert told["confusion"] == {"tp": 1, "fp": 1, "fn": 0, "tn": 1}
    assert told["groupConfusion"] == {"a": {"tp": 1, "fp": 1, "fn": 0, "tn": 0}}


@pytest.mark.parametrize(
    ("here", "there"),
    [
        pytest.param((), (), id="numbers"),
        pytest.param(("a", "b", "c"), ("a", "b", "c"), id="three classes"),
        pytest.param(("a", "b"), ("a", "b", "c"), id="a version that had others"),
    ],
)
def test_there_is_no_such_table_where_nothing_is_known_to_be_positive(
    here: tuple[str, ...], there: tuple[str, ...], pod_of: Made, token_of: Made
) -> None:
    pod = pod_of(classes=here)
    said: Any = "a" if there else 1.0
    pod.take((token_of(said, classes=there, group="g"), said))
    told = pod.told()["7"]
    assert told["n"] == 1
    assert "confusion" not in told
    assert "groupConfusion" not in told
