"""Performance and fairness, once per window of truth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.api.drift import DriftSpec
from pawl.api.drift_status import LabelStatus
from pawl.core.watch import Tally, label_block, labels
from pawl.stats.drift.performance import Confusion

START = 1_800_000_000
NOW = datetime.fromtimestamp(START, UTC)
DAY = 86_400


def spec(**performance: Any) -> DriftSpec:
    given = {"metric": "accuracy", "min": 0.9} | performance
    return DriftSpec.model_validate({"performance": given})


def fair(metric: str) -> DriftSpec:
    given = {"metric": metric, "attribute": "gender", "max": 0.1}
    return DriftSpec.model_validate({"fairness": given})


def running(given: DriftSpec) -> LabelStatus:
    found = labels(given, None, None, {}, NOW)
    assert found is not None
    return found


def over(given: DriftSpec, baseline: dict[str, float] | None = None, **tally: Any) -> LabelStatus:
    """A window that is over, in which truth told so."""
    status = running(given)
    start = int(datetime.fromisoformat(status.window_start).timestamp())
    seen = Tally(start, start + 7 * DAY, **tally)
    found = labels(given, status, seen, baseline or {}, NOW + timedelta(days=9))
    assert found is not None
    return found


def verdict(status: LabelStatus) -> str:
    assert status.performance is not None
    return status.performance.verdict


def test_nobody_asks_for_truth() -> None:
    assert labels(DriftSpec(), None, None, {}, NOW) is None


def test_the_first_window_begins_after_the_labels_delay() -> None:
    status = running(spec(labelDelay="2d", window="1d"))
    assert status.window_start == "2027-01-17T08:00:00Z"
    assert status.window_end == "2027-01-18T08:00:00Z"


def test_a_window_that_is_not_over_decides_nothing() -> None:
    status = running(spec())
    start = int(datetime.fromisoformat(status.window_start).timestamp())
    seen = Tally(start, start + 3600, labelled=5000, wrong=4000)
    found = labels(spec(), status, seen, {}, NOW + timedelta(days=2))
    assert found is not None
    assert (found.performance, found.samples) == (None, 5000)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        pytest.param(20, "Pass", id="well above"),
        pytest.param(100, "Inconclusive", id="at the limit"),
        pytest.param(200, "Fail", id="well below"),
    ],
)
def test_the_interval_decides(wrong: int, expected: str) -> None:
    assert verdict(over(spec(), labelled=1000, wrong=wrong)) == expected


def test_with_few_rows_nothing_is_decided() -> None:
    assert verdict(over(spec(), labelled=90, wrong=90)) == "Inconclusive"
    assert verdict(over(spec())) == "Inconclusive"


def test_the_versions_own_metric_is_the_baseline() -> None:
    given = {"metric": "recall", "notWorseThanBaselineBy": 0.05, "min": None}
    rule = DriftSpec.model_validate({"performance": {k: v for k, v in given.items() if v}})
    counts = Confusion(tp=700, fp=0, fn=300, tn=0)
    found = over(rule, {"recall": 0.9}, labelled=1000, confusion=counts)
    assert found.performance is not None
    assert (found.performance.verdict, found.performance.limit) == ("Fail", pytest.approx(0.85))
    assert "recall 0.7 is proved to be beyond 0.85" in found.performance.message
    unknown = over(rule, {}, labelled=1000, confusion=counts)
    assert unknown.performance is not None
    assert unknown.performance.message.startswith("the version has no recall")


def test_errors_of_numbers() -> None:
    rule = DriftSpec.model_validate({"performance": {"metric": "mae", "max": 2.0}})
    bad = over(rule, labelled=1000, error=3000.0, error_squares=10_000.0)
    good = over(rule, labelled=1000, error=1000.0, error_squares=2_000.0)
    assert (verdict(bad), verdict(good)) == ("Fail", "Pass")


@pytest.mark.parametrize(
    ("performance", "tally", "sentence"),
    [
        pytest.param(
            {"metric": "accuracy", "min": 0.9},
            {"error": 5.0, "error_squares": 9.0},
            "accuracy is of classes",
            id="classes of numbers",
        ),
        pytest.param({"metric": "mae", "max": 2.0}, {}, "mae is of numbers", id="numbers"),
        pytest.param({"metric": "recall", "min": 0.9}, {}, "recall is of two", id="many classes"),
    ],
)
def test_a_metric_that_does_not_fit_the_model_is_told(
    performance: dict[str, Any], tally: dict[str, Any], sentence: str
) -> None:
    rule = DriftSpec.model_validate({"performance": performance})
    found = over(rule, labelled=1000, **tally).performance
    assert found is not None
    assert found.verdict == "Inconclusive"
    assert found.message.startswith(f"drift.performance.metric: {sentence}")


def test_rows_that_come_in_batches_say_less() -> None:
    even = Tally(0, 60, labelled=100, wrong=15).as_block()
    whole = even
    for _ in range(19):
        whole = whole.merged(even)
    assert whole.effect == 1.0
    lumps = Tally(0, 60)
    for number in range(20):
        lumps = lumps.merged(Tally(0, 60, labelled=100, wrong=60 * (number % 4 == 0)).as_block())
    assert lumps.wrong == whole.wrong
    assert lumps.effect > 30


def test_demographic_parity_needs_no_truth() -> None:
    rule = fair("demographic_parity_difference")
    found = over(rule, groups={"m": (1000, 500), "f": (1000, 200), "x": (10, 9)})
    assert found.fairness is not None
    assert found.fairness.verdict == "Fail"
    assert found.fairness.message == ("gender: m is 0.3 above f (at most 0.1); too few rows of x")


@pytest.mark.parametrize("metric", ["equal_opportunity_difference", "equalized_odds_difference"])
def test_fairness_of_what_is_true(metric: str) -> None:
    groups = {"m": Confusion(450, 50, 50, 450), "f": Confusion(300, 50, 200, 450)}
    found = over(fair(metric), group_confusion=groups)
    assert found.fairness is not None
    assert found.fairness.verdict == "Fail"


def test_one_group_is_not_compared() -> None:
    found = over(fair("demographic_parity_difference"), groups={"m": (1000, 500)})
    assert found.fairness is not None
    assert found.fairness.verdict == "Inconclusive"


def test_short_windows_are_counted_by_ten_seconds() -> None:
    assert label_block(spec(window="20s")) == 10
    assert label_block(spec(window="1h")) == 60


counts = st.integers(0, 10**6)
confusions = st.builds(Confusion, counts, counts, counts, counts)
names = st.text(min_size=1, max_size=8)
tallies = st.builds(
    Tally,
    st.just(0),
    counts,
    counts,
    counts,
    confusions,
    st.floats(0, 1e9),
    st.floats(0, 1e9),
    st.dictionaries(st.integers(0, 255), st.integers(1, 10**6), max_size=4),
    st.dictionaries(names, confusions, max_size=3),
    st.dictionaries(names, st.tuples(counts, counts), max_size=3),
    st.tuples(counts, counts, counts, counts),
)


@given(tallies)
def test_a_tally_is_read_as_it_was_kept(tally: Tally) -> None:
    assert Tally.load(tally.dump()) == tally


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"start": 1}', "null"])
def test_what_is_no_tally_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Tally.load(text)


def test_a_window_that_is_made_shorter_ends_sooner() -> None:
    status = running(spec(window="30d"))
    start = int(datetime.fromisoformat(status.window_start).timestamp())
    seen = Tally(start, start + DAY)
    found = labels(spec(window="1d"), status, seen, {}, NOW + timedelta(days=2))
    assert found is not None
    assert found.window_end == "2027-01-18T08:00:00Z"


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(spec(min=0.5), id="another limit"),
        pytest.param(spec(metric="recall"), id="another metric"),
        pytest.param(fair("demographic_parity_difference"), id="something else"),
    ],
)
def test_a_verdict_by_another_spec_is_none(now: DriftSpec) -> None:
    before = over(spec(), labelled=1000, wrong=500)
    assert verdict(before) == "Fail"
    kept = labels(spec(), before, None, {}, NOW + timedelta(days=9))
    assert kept == before
    changed = labels(now, before, None, {}, NOW + timedelta(days=9))
    assert changed is not None
    assert changed.performance is None


def test_a_clock_that_was_set_back_does_not_stop_the_watch() -> None:
    before = over(spec())
    found = labels(spec(), before, None, {}, NOW)
    assert found is not None
    assert found.window_start == "2027-01-16T08:00:00Z"


def test_groups_are_bounded() -> None:
    """Requests may name any."""
    seen = Tally(START, START, groups={"large": (1000, 1)})
    for minute in range(10):
        names = {f"{minute}-{number}": (minute + 1, 0) for number in range(64)}
        confusions = {name: Confusion(tp=n) for name, (n, _) in names.items()}
        seen = seen.merged(Tally(START, START, groups=names, group_confusion=confusions))
    assert (len(seen.groups), len(seen.group_confusion)) == (64, 64)
    assert seen.groups["large"] == (1000, 1)
