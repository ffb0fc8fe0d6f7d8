"""Commands name a rollout: a candidate, and which of its rollouts it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.core import commands
from pawl.core.commands import Commands, reference

ASKED: list[tuple[str, Callable[[Commands, str, int], bool]]] = [
    (commands.PROMOTE, Commands.promotes),
    (commands.ABORT, Commands.aborts),
    (commands.PAUSE, Commands.pauses),
    (commands.RETRY, Commands.retries),
]
each = pytest.mark.parametrize(
    ("annotation", "asks"), [pytest.param(*pair, id=pair[0]) for pair in ASKED]
)


@each
def test_a_command_is_for_the_rollout_that_it_names(
    annotation: str, asks: Callable[[Commands, str, int], bool]
):
    first, second = (Commands.of({annotation: f"churn-v8{n}"}) for n in ("", "#2"))
    assert asks(first, "churn-v8", 1)
    assert asks(second, "churn-v8", 2)
    assert not asks(first, "churn-v8", 2)
    assert not asks(second, "churn-v8", 1)
    assert not asks(first, "churn-v9", 1)


@each
def test_nothing_else_is_asked_for(annotation: str, asks: Callable[[Commands, str, int], bool]):
    given_commands = Commands.of({annotation: "churn-v8", "pawl.dev/other": "churn-v8"})
    asked = [other for _, other in ASKED if other(given_commands, "churn-v8", 1)]
    assert asked == [asks]


@each
@pytest.mark.parametrize("value", ["", "true", "churn", "churn-v8#1", "churn-v8 ", "churn-v80"])
def test_a_value_that_names_no_rollout_does_nothing(
    annotation: str, asks: Callable[[Commands, str, int], bool], value: str
):
    assert not asks(Commands.of({annotation: value}), "churn-v8", 1)


def test_without_annotations_nothing_is_asked():
    assert Commands.of({}) == Commands()


NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,5}[a-z0-9])?-v[0-9]{1,4}", fullmatch=True)
ROLLOUTS = st.tuples(NAMES, st.integers(1, 30))


@given(ROLLOUTS, ROLLOUTS)
def test_no_two_rollouts_have_the_same_name(one: tuple[str, int], other: tuple[str, int]):
    assert (reference(*one) == reference(*other)) == (one == other)
