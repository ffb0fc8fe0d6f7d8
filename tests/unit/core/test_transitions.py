"""Events for conditions that change: once, and not for what was never otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import NOW

from pawl.api.base import Condition
from pawl.core.conditions import Conditions
from pawl.core.transitions import _TOLD, events

STATUS = {None: "Unknown", True: "True", False: "False"}


def told(type_: str, before: str, now: bool | None) -> list[str]:
    old = Conditions((), generation=1, now=NOW)
    if before != "Absent":
        old.set(type_, {text: value for value, text in STATUS.items()}[before], "Before")
    conditions = Conditions(old.all(), generation=1, now=NOW)
    conditions.set(type_, now, "Now", "a sentence")
    return [event.reason for event in events(conditions)]


@pytest.mark.parametrize(
    ("type_", "before", "now", "expected"),
    [
        pytest.param("Available", "Absent", True, ["Available"], id="answers for the first time"),
        pytest.param("Available", "Absent", False, [], id="does not answer yet"),
        pytest.param("Available", "True", False, ["Unavailable"], id="does not answer any more"),
        pytest.param("Available", "False", True, ["Available"], id="answers again"),
        pytest.param("Suspended", "Absent", False, [], id="was never suspended"),
        pytest.param("Suspended", "False", True, ["Suspended"], id="suspended"),
        pytest.param("Suspended", "True", False, ["Resumed"], id="resumed"),
        pytest.param("ArtifactVerified", "Absent", True, [], id="read at once"),
        pytest.param("ArtifactVerified", "Absent", None, ["Unverified"], id="cannot be read"),
        pytest.param("ArtifactVerified", "Unknown", True, ["Verified"], id="read in the end"),
        pytest.param("ArtifactVerified", "Unknown", False, [], id="wrong, as its stage tells"),
        pytest.param("Approved", "Absent", True, [], id="needs no approval"),
        pytest.param("Approved", "Absent", None, ["AwaitingApproval"], id="needs approval"),
        pytest.param("Approved", "Unknown", True, ["Approved"], id="approved"),
        pytest.param("Capturing", "True", False, ["NotCapturing"], id="captures no more"),
        pytest.param("Ready", "True", False, [], id="of which others tell"),
    ],
)
def test_what_is_told(type_: str, before: str, now: bool | None, expected: list[str]):
    assert told(type_, before, now) == expected


@given(st.sampled_from(sorted({type_ for type_, _ in _TOLD})), st.sampled_from([True, False, None]))
def test_what_stays_is_not_told(type_: str, status: bool | None):
    assert told(type_, STATUS[status], status) == []


def test_an_event_says_what_the_condition_says():
    old = Condition.model_validate(
        {"type": "Available", "status": "True", "reason": "Serving", "lastTransitionTime": "x"}
    )
    conditions = Conditions((old,), generation=1, now=NOW)
    conditions.set("Available", False, "Starting", "no pod is ready")
    (event,) = events(conditions)
    assert (event.type, event.message) == ("Warning", "no pod is ready")
