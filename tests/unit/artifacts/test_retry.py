"""Outages are waited out, answers are not asked for again."""

from __future__ import annotations

import pytest

from pawl.artifacts.retry import Retry
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
