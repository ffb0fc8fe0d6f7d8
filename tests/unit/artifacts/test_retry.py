"""Outages are waited out, answers are not asked for again."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.artifacts.retry import CONNECT_SECONDS, PATIENT, READ_SECONDS, Retry
from pawl.errors import ConflictError, StoreError


class Flaky:
    """Fails `failures` times."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures, self.error, self.calls = failures, error, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return "answer"


def test_an_outage_is_waited_out_with_growing_pauses() -> None:
    pauses: list[float] = []
    flaky = Flaky(3, TimeoutError("slow"))
    assert Retry(attempts=4, first_delay=1.0, sleep=pauses.append).call("x", flaky) == "answer"
    assert pauses == [
        pytest.approx(1, rel=0.2),
        pytest.approx(2, rel=0.2),
        pytest.approx(4, rel=0.2),
    ]


def test_pauses_have_a_limit() -> None:
    pauses: list[float] = []
    flaky = Flaky(9, TimeoutError())
    retry = Retry(attempts=10, first_delay=1.0, max_delay=3.0, sleep=pauses.append)
    assert retry.call("x", flaky) == "answer"
    assert max(pauses) <= 3.6


def test_the_last_error_is_told_without_credentials() -> None:
    flaky = Flaky(9, OSError("connect to s3://me:secret@host failed"))
    with pytest.raises(StoreError, match=r"reading b: no answer after 2 tries \(OSError: ") as told:
        Retry(attempts=2, sleep=lambda _: None).call("reading b", flaky)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "error", [FileNotFoundError("a"), FileExistsError("a"), ConflictError("a")], ids=type
)
def test_an_answer_is_passed_on_at_once(error: Exception) -> None:
    flaky = Flaky(9, error)
    with pytest.raises(type(error)):
        Retry(sleep=lambda _: None).call("x", flaky)
    assert flaky.calls == 1


def test_denied_access_is_not_tried_again() -> None:
    flaky = Flaky(9, PermissionError("403"))
    with pytest.raises(StoreError, match="access denied"):
        Retry(sleep=lambda _: None).call("x", flaky)
    assert flaky.calls == 1


class Clock:
    """Time passes in pauses and in tries that fail after so many seconds."""

    def __init__(self, *durations: float) -> None:
        self.now, self.durations, self.tries = 0.0, list(durations), 0
        self.cause: Exception | None = None

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def attempt(self) -> None:
        self.now += self.durations[min(self.tries, len(self.durations) - 1)]
        self.tries += 1
        raise TimeoutError from self.cause

    def give_up(self, retry: Retry) -> float:
        """The seconds until `retry` has had enough."""
        with pytest.raises(StoreError):
            replace(retry, sleep=self.sleep, clock=lambda: self.now).call("x", self.attempt)
        return self.now


@given(st.lists(st.floats(0, READ_SECONDS), min_size=1, max_size=5))
def test_a_store_that_does_not_answer_is_given_up_in_15_seconds(durations: list[float]) -> None:
    assert Clock(*durations).give_up(Retry()) <= 15


@pytest.mark.parametrize(
    ("seconds", "tries"),
    [
        pytest.param(0.01, 5, id="refused"),
        pytest.param(CONNECT_SECONDS, 3, id="no connection"),
        pytest.param(READ_SECONDS, 2, id="no answer"),
    ],
)
def test_how_often_a_store_is_tried(seconds: float, tries: int) -> None:
    clock = Clock(seconds)
    clock.give_up(Retry())
    assert clock.tries == tries


def test_a_long_copy_that_breaks_off_is_tried_again() -> None:
    """It lasted longer than a request may: the store was there until then."""
    clock = Clock(300.0, 200.0, 0.1)
    clock.give_up(Retry())
    assert clock.tries == 5


class SlowDownError(Exception):
    """As botocore's ClientError carries the answer."""

    response: ClassVar = {"Error": {"Code": "SlowDown"}}


def test_a_store_that_asks_for_patience_gets_all_tries() -> None:
    clock = Clock(READ_SECONDS)
    clock.cause = SlowDownError()
    clock.give_up(Retry())
    assert clock.tries == 5


def test_a_publishing_pod_waits_two_minutes() -> None:
    for seconds in (0.01, CONNECT_SECONDS, READ_SECONDS):
        assert 105 <= Clock(seconds).give_up(PATIENT) <= 120 + READ_SECONDS
