"""Windows follow each other, and each decides once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watch_world import EVEN, SHIFTED, START, observed, served, traffic

from pawl.api.deployment import ServedVersion
from pawl.api.drift import DriftSpec
from pawl.api.drift_status import DriftStatus
from pawl.core.watch import DriftObserved, block_seconds, stale, watch
from pawl.stats.drift.layout import Feature, Layout
from pawl.stats.drift.window import counted

NOW = datetime.fromtimestamp(START, UTC)
HOUR = timedelta(hours=1)


def spec(**fields: Any) -> DriftSpec:
    return DriftSpec.model_validate({"quality": {"maxMissing": 0.1}} | fields)


@pytest.fixture
def stable() -> ServedVersion:
    return served(1)


def begun(stable: ServedVersion, **fields: Any) -> DriftStatus:
    return watch(spec(**fields), None, stable, None, NOW).status


def test_the_first_window_begins_with_the_next_minute(stable: ServedVersion) -> None:
    late = watch(spec(), None, stable, None, NOW + timedelta(seconds=7)).status
    assert (late.version, late.window_start) == ("m-v1", "2027-01-15T08:01:00Z")
    assert late.window_end == "2027-01-15T09:01:00Z"


def test_a_window_that_is_not_over_decides_nothing(stable: ServedVersion) -> None:
    status = begun(stable)
    seen = observed(traffic(SHIFTED, minutes=59), status)
    found = watch(spec(), status, stable, seen, NOW + HOUR)
    assert found.decided is None
    assert found.status.worst[0].feature == "age"
    assert found.status.worst[0].verdict == "Inconclusive"
    assert found.status.samples == 5900


def test_what_is_shown_in_between_is_worked_out_every_five_minutes(stable: ServedVersion) -> None:
    status = begun(stable)
    then = NOW + timedelta(minutes=10)
    first = watch(spec(), status, stable, observed(traffic(minutes=10), status), then).status
    soon = watch(
        spec(), first, stable, observed(traffic(minutes=12), status), then + timedelta(seconds=299)
    ).status
    assert soon == first
    later = watch(
        spec(), first, stable, observed(traffic(minutes=15), status), then + timedelta(seconds=300)
    ).status
    assert later.samples == 1500


def test_traffic_like_the_baseline_passes_and_the_next_window_begins(stable: ServedVersion) -> None:
    status = begun(stable)
    found = watch(spec(), status, stable, observed(traffic(), status), NOW + HOUR)
    assert found.decided is not None
    assert (found.decided.verdict, found.decided.judged) == ("Pass", 3)
    assert found.status.window_start == found.decided.end == "2027-01-15T09:00:00Z"
    assert (found.status.samples, found.status.windows) == (0, 1)


def test_a_feature_that_left_its_baseline_is_named(stable: ServedVersion) -> None:
    status = begun(stable)
    found = watch(spec(), status, stable, observed(traffic(SHIFTED), status), NOW + HOUR)
    assert found.decided is not None
    assert (found.decided.verdict, found.decided.drifted) == ("Fail", ("age",))
    assert found.decided.concerns == ("features",)
    assert found.decided.message.startswith("1 of 3 are not like the baseline in 6,000 rows")
    assert "age psi" in found.decided.message


def test_a_window_that_is_made_shorter_ends_sooner(stable: ServedVersion) -> None:
    status = begun(stable, window="30d")
    seen = observed(traffic(minutes=30), status)
    found = watch(spec(window="1h"), status, stable, seen, NOW + HOUR)
    assert found.status.window_end == "2027-01-15T09:30:00Z"


@pytest.mark.parametrize("known", [pytest.param(True, id="seen"), pytest.param(False, id="not")])
def test_a_clock_that_was_set_back_does_not_stop_the_watch(
    stable: ServedVersion, known: bool
) -> None:
    status = begun(stable)
    seen = observed(traffic(), status) if known else None
    found = watch(spec(), status, stable, seen, NOW - timedelta(days=300))
    assert found.decided is None
    assert found.status.window_start == "2026-03-21T08:00:00Z"


def test_a_constant_that_moves_is_told_as_a_number(stable: ServedVersion) -> None:
    """By wasserstein it is infinitely far away, and JSON has no such number."""
    fine = [0.0] * 5 + [10_000.0] + [0.0] * 4
    sums = [0.0] * 5 + [70_000.0] + [0.0] * 4
    layout = Layout.of([Feature("age", "numeric", [*EVEN, 0.0, 0.0], fine, sums)])
    cells = np.array([[*SHIFTED, 0, 0]] * 60, dtype=np.uint32)
    there = np.array([0] * 9 + [6000], dtype=np.uint32)
    window = counted(layout, cells, fine=there, fine_sums=there * 9.0)
    rule = spec(features={"metric": "wasserstein"}, quality={})
    status = begun(stable)
    found = watch(
        rule, status, stable, DriftObserved("m-v1", START, START + 3600, layout, window), NOW + HOUR
    )
    assert found.decided is not None
    assert found.decided.worst[0].value == 1e9


@pytest.mark.parametrize(
    "length", [pytest.param("0s", id="0"), pytest.param("9999999d", id="most")]
)
def test_any_durations_can_be_told_as_times(length: str) -> None:
    rule = spec(window=length, maxWindow=length, staleAfter=length)
    status = watch(rule, None, served(1), None, NOW).status
    seen = observed(traffic([0] * 10, minutes=1), status)
    assert watch(rule, status, served(1), seen, NOW + HOUR).status.window_end
    stale(rule, NOW, NOW + HOUR)


def test_missing_values_are_a_concern_of_their_own(stable: ServedVersion) -> None:
    status = begun(stable)
    cells = traffic(missing=30)
    found = watch(spec(), status, stable, observed(cells, status), NOW + HOUR)
    assert found.decided is not None
    assert found.decided.concerns == ("quality",)
    assert "age missing" in found.decided.message


def test_too_few_rows_extend_the_window_up_to_the_longest(stable: ServedVersion) -> None:
    rule = spec(maxWindow="3h")
    status = begun(stable)
    few = traffic([1] * 10, minutes=2)
    found = watch(rule, status, stable, observed(few, status, seconds=3600), NOW + HOUR)
    assert found.decided is None
    assert found.status.window_end == "2027-01-15T10:00:00Z"
    found = watch(rule, found.status, stable, observed(few, status, seconds=7200), NOW + 2 * HOUR)
    assert found.status.window_end == "2027-01-15T11:00:00Z"
    found = watch(rule, found.status, stable, observed(few, status, seconds=10800), NOW + 3 * HOUR)
    assert found.decided is not None
    assert found.decided.verdict == "Inconclusive"
    assert "too few" in found.decided.message


def test_another_version_begins_afresh(stable: ServedVersion) -> None:
    status = begun(stable)
    after = watch(spec(), status, served(2), observed(traffic(SHIFTED), status), NOW).status
    assert (after.version, after.windows, after.decided) == ("m-v2", 0, None)


def test_a_lost_status_goes_on_with_the_window_that_was_kept(stable: ServedVersion) -> None:
    found = watch(spec(), None, stable, observed(traffic(minutes=30), start=START - 1800), NOW)
    assert found.status.window_start == "2027-01-15T07:30:00Z"


@pytest.mark.parametrize(
    ("window", "block"),
    [
        pytest.param("1h", 60, id="an hour by the minute"),
        pytest.param("10m", 60, id="ten minutes too"),
        pytest.param("5m", 10, id="minutes by ten seconds"),
        pytest.param("20s", 1, id="seconds"),
    ],
)
def test_a_window_has_ten_blocks_or_more(window: str, block: int) -> None:
    assert block_seconds(spec(window=window)) == block


@pytest.mark.parametrize("seldom", [{"features": {"metric": "ks"}}, {"source": "Prometheus"}])
def test_fine_bins_and_scrapes_are_not_counted_by_the_second(seldom: dict[str, Any]) -> None:
    assert block_seconds(spec(window="20s", **seldom)) == 10


def test_a_version_is_stale_when_it_was_made_too_long_ago() -> None:
    rule = spec(staleAfter="30d")
    assert stale(rule, NOW - timedelta(days=29), NOW) == ""
    assert stale(rule, NOW - timedelta(days=31), NOW) == "it was made 31d ago (staleAfter 30d)"
    assert stale(spec(), NOW - timedelta(days=900), NOW) == ""


@settings(max_examples=40, deadline=None)
@given(
    hours=st.lists(
        st.sampled_from(["even", "shifted", "none", "restart", "wiped"]), min_size=1, max_size=8
    )
)
def test_no_row_decides_twice_whatever_happens(hours: list[str]) -> None:
    """Windows never overlap, and a status that was lost or read again decides the same."""
    stable, rule = served(1), spec(maxWindow="3h")
    status: DriftStatus | None = begun(stable)
    end, now = 0, NOW
    for what in hours:
        now += HOUR
        if what == "wiped":
            status = None
        seen = None
        if status is not None and what != "none":
            seen = observed(traffic(SHIFTED if what == "shifted" else None), status)
        found = watch(rule, status, stable, seen, now)
        assert found == watch(rule, status, stable, seen, now)
        status = found.status
        if found.decided is not None:
            start = int(datetime.fromisoformat(found.decided.start).timestamp())
            assert start >= end
            end = int(datetime.fromisoformat(found.decided.end).timestamp())
            assert found.decided.verdict == ("Fail" if what == "shifted" else "Pass")


def test_a_verdict_by_other_limits_does_not_hold(stable: ServedVersion) -> None:
    status = begun(stable)
    failed = watch(spec(), status, stable, observed(traffic(SHIFTED), status), NOW + HOUR).status
    assert failed.decided is not None
    assert watch(spec(window="2h"), failed, stable, None, NOW + HOUR).status.decided is not None
    loose = spec(features={"threshold": 9.0})
    assert watch(loose, failed, stable, None, NOW + HOUR).status.decided is None


def test_an_override_of_a_feature_that_there_is_not_is_told(stable: ServedVersion) -> None:
    rule = spec(features={"overrides": [{"name": "agee", "threshold": 0.5}]})
    status = begun(stable)
    found = watch(rule, status, stable, observed(traffic(), status), NOW + HOUR)
    assert found.decided is not None
    assert found.decided.message.endswith("drift.features.overrides: the model has no feature agee")
