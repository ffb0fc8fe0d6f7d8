"""Durations: what the pattern takes, how long they are, how they are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pawl.api.duration import Duration, seconds, words

_PATTERN = TypeAdapter(Duration)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        pytest.param("90s", 90, id="seconds"),
        pytest.param("10m", 600, id="minutes"),
        pytest.param("24h", 86_400, id="hours"),
        pytest.param("30d", 2_592_000, id="days"),
        pytest.param("1h30m", 5_400, id="two units"),
        pytest.param("1d1h1m1s", 90_061, id="all units"),
        pytest.param("0s", 0, id="nothing"),
        pytest.param("007m", 420, id="leading zeros"),
        pytest.param("90m", 5_400, id="more than the next unit"),
        pytest.param("9999999d", 36_500 * 86_400, id="a hundred years at most"),
    ],
)
def test_how_long(text: str, length: int):
    assert seconds(_PATTERN.validate_python(text)) == length


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        "10",
        "1.5h",
        "-1m",
        "1m1h",
        "1h1h",
        "1w",
        "10 m",
        "10M",
        "1h\n",
        "١m",
        "1" * 20 + "s",
    ],
)
def test_what_is_no_duration(text: str):
    with pytest.raises(ValidationError):
        _PATTERN.validate_python(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        pytest.param(0, "0s", id="nothing"),
        pytest.param(-5, "0s", id="less than nothing"),
        pytest.param(0.2, "1s", id="something is not nothing"),
        pytest.param(59.2, "1m", id="a part of a second counts"),
        pytest.param(5_400, "1h30m", id="two units"),
        pytest.param(3_600.0, "1h", id="one unit"),
        pytest.param(90_061, "1d1h", id="the two largest"),
        pytest.param(86_400 + 5, "1d", id="no unit is left out between them"),
    ],
)
def test_how_a_number_of_seconds_is_told(count: float, text: str):
    assert words(count) == text


@given(st.integers(0, 10**9))
def test_what_is_told_is_a_duration_at_most_one_unit_shorter(count: int):
    told = seconds(_PATTERN.validate_python(words(count)))
    assert told <= count
    assert count - told < max(count / 24, 1)
