"""Verdicts on windows: what matters and is not chance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pawl.stats.drift.decision import Finding, Rule, judge
from pawl.stats.drift.layout import Feature, Layout
from pawl.stats.drift.window import Window, counted

HOURS = 720
EVEN = np.full(10, 0.1)
REFERENCE = [1000] * 10


def _tilted(by: float) -> np.ndarray:
    g = np.exp(by * np.arange(10))
    return g / g.sum()


def _rows(shares: np.ndarray, n: int, repeat: int = 1, seed: int = 1) -> np.ndarray:
    """60 blocks of a mix, in bursts of the same row `repeat` times."""
    return repeat * np.random.default_rng(seed).multinomial(n // 60 // repeat, shares, 60)


def _each(layout: Layout, *rules: Rule) -> dict[str, tuple[Rule, ...]]:
    """The same rules for every feature."""
    return {feature.name: rules for feature in layout.features}


def _one(plain: Callable, blocks: np.ndarray, rule: Rule | None = None) -> Finding:
    layout, window = plain(REFERENCE, blocks, features=60)
    return judge(window, layout, _each(layout, rule or Rule()), windows=HOURS)[0]


@pytest.mark.parametrize(
    ("blocks", "verdict", "why"),
    [
        pytest.param(_rows(EVEN, 1200), "Pass", "", id="the same mix"),
        pytest.param(_rows(_tilted(0.25), 1200), "Fail", "", id="another mix"),
        pytest.param(_rows(_tilted(0.07), 60_000), "Pass", "", id="proved, but it does not matter"),
        pytest.param(
            _rows(_tilted(0.2), 1800, repeat=15),
            "Inconclusive",
            "NotProven",
            id="it would matter, but may be chance",
        ),
        pytest.param(_rows(_tilted(0.25), 480), "Inconclusive", "TooFewRows", id="few rows"),
        pytest.param(
            _rows(EVEN, 1200, repeat=20), "Inconclusive", "TooAlike", id="few different rows"
        ),
        pytest.param(_rows(_tilted(0.25), 60_000)[:5], "Inconclusive", "TooAlike", id="few blocks"),
        pytest.param(np.zeros((60, 10)), "Inconclusive", "TooFewRows", id="no rows"),
    ],
)
def test_verdicts(plain: Callable, blocks: np.ndarray, verdict: str, why: str) -> None:
    finding = _one(plain, blocks)
    assert (finding.verdict, finding.why) == (verdict, why)


def test_a_failure_needs_both_conditions(plain: Callable) -> None:
    proved = _one(plain, _rows(_tilted(0.07), 60_000))
    assert proved.p < 1e-6
    assert 0 < proved.value < proved.threshold
    chance = _one(plain, _rows(_tilted(0.2), 1800, repeat=15))
    assert chance.value > chance.threshold
    assert chance.p > 1e-6


def test_a_smaller_threshold_is_a_stricter_rule(plain: Callable) -> None:
    blocks = _rows(_tilted(0.07), 60_000)
    assert _one(plain, blocks, Rule("psi", 0.03)).verdict == "Fail"
    assert _one(plain, blocks, Rule("js", 0.05)).verdict == "Fail"
    assert _one(plain, blocks, Rule("js", 0.1)).verdict == "Pass"


def test_each_feature_has_its_rules(plain: Callable) -> None:
    layout, window = plain(REFERENCE, _rows(_tilted(0.12), 6000), features=3)
    found = judge(
        window,
        layout,
        {"f2": [Rule("chi2", 0.9)], "f0": [Rule(), Rule("js")]},
        windows=HOURS,
    )
    assert [(f.feature, f.metric, f.threshold, f.verdict) for f in found] == [
        ("f0", "psi", 0.2, "Pass"),
        ("f0", "js", 0.1, "Fail"),
        ("f2", "chi2", 0.9, "Pass"),
    ]


def test_a_category_has_no_order(plain: Callable) -> None:
    layout, window = plain(REFERENCE, _rows(EVEN, 6000))
    [found] = judge(window, layout, _each(layout, Rule("ks", 0.01)), windows=HOURS)
    assert (found.metric, found.threshold) == ("psi", 0.2)


def test_ordered_metrics_of_numbers(numbers: Callable) -> None:
    generator = np.random.default_rng(3)
    table = numbers([generator.normal(0, 1, 10_000)] * 2)
    window = table.window([generator.normal(0, 1, 6000), generator.normal(0.4, 1, 6000)])
    for metric in ("ks", "wasserstein"):
        found = judge(window, table.layout, _each(table.layout, Rule(metric)), windows=HOURS)
        assert [f.verdict for f in found] == ["Pass", "Fail"]


def test_more_bins_need_more_rows(plain: Callable) -> None:
    shares = np.full(20, 0.05)
    layout, window = plain([500] * 20, np.random.default_rng(1).multinomial(15, shares, 60))
    [found] = judge(window, layout, _each(layout, Rule()), windows=HOURS)
    assert (found.samples, found.why) == (900, "TooFewRows")  # 50 per bin are 1,000


def test_without_a_reference_nothing_is_said(plain: Callable) -> None:
    layout, window = plain([0] * 10, _rows(EVEN, 6000))
    [found] = judge(window, layout, _each(layout, Rule()), windows=HOURS)
    assert (found.verdict, found.why) == ("Inconclusive", "NoReference")


def test_a_constant_feature_passes(plain: Callable) -> None:
    layout, window = plain([1000], np.full((60, 1), 20))
    [found] = judge(window, layout, _each(layout, Rule()), windows=HOURS)
    assert (found.value, found.p, found.verdict) == (0.0, 1.0, "Pass")


def test_an_earlier_window_takes_the_place_of_the_reference(plain: Callable) -> None:
    layout, before = plain(REFERENCE, _rows(_tilted(0.25), 6000))
    _, now = plain(REFERENCE, _rows(_tilted(0.25), 6000, seed=2))
    assert judge(now, layout, _each(layout, Rule()), windows=HOURS)[0].verdict == "Fail"
    assert (
        judge(now, layout, _each(layout, Rule()), windows=HOURS, reference=before)[0].verdict
        == "Pass"
    )


def test_bursts_in_the_reference_count(plain: Callable) -> None:
    layout, now = plain(REFERENCE, _rows(_tilted(0.2), 6000, seed=2))
    plainly, burst = (plain(REFERENCE, _rows(EVEN, 6000, repeat))[1] for repeat in (1, 20))
    of_plain, of_burst = (
        judge(now, layout, _each(layout, Rule()), windows=HOURS, reference=before)[0]
        for before in (plainly, burst)
    )
    assert of_burst.p > of_plain.p
    assert of_burst.value < of_plain.value


@pytest.mark.parametrize(
    ("repeat", "restless"),
    [
        pytest.param(1, 0.0, id="independent rows"),
        pytest.param(5, 0.0, id="five times each"),
        pytest.param(1, 1.0, id="every minute has its own mix"),
    ],
)
def test_p_values_are_not_too_small(repeat: int, restless: float) -> None:
    """1,800 windows of the same mix: p ≤ 1 % in at most about 1 % of them."""
    found = []
    tilts = np.linspace(-1, 1, 10)
    for seed in range(30):
        generator = np.random.default_rng(seed)
        mixes = np.exp(restless * generator.standard_normal((10_000, 1)) * tilts)
        mixes /= mixes.sum(axis=1, keepdims=True)
        before = generator.multinomial(10_000, mixes.mean(axis=0)).tolist()
        layout = Layout.of(Feature(f"f{i}", "category", [*before, 0]) for i in range(60))
        now = mixes[generator.integers(0, 10_000, (60, 60))]
        rows = repeat * generator.multinomial(60 // repeat, now)
        cells = np.concatenate([rows, np.zeros((60, 60, 1), int)], axis=2).reshape(60, -1)
        window = counted(layout, cells.astype(np.uint32))
        found += [f.p for f in judge(window, layout, _each(layout, Rule()), windows=HOURS)]
    assert np.mean(np.array(found) <= 0.01) <= 0.012


# -- shares of missing, unseen and out-of-range values

LAYOUT = Layout.of(
    [
        Feature("age", "numeric", [450, 450, 100, 0]),
        Feature("city", "category", [500, 480, 20, 0]),
    ]
)


def _asked(metric: str, maximum: float) -> dict[str, list[Rule]]:
    kinds = {"missing": ("age", "city"), "unseen": ("city",), "out_of_range": ("age",)}
    return {name: [Rule(metric, maximum)] for name in kinds[metric]}


def _quality(block: list[int], blocks: int = 60) -> Window:
    return counted(LAYOUT, np.array([block] * blocks, np.uint32))


@pytest.mark.parametrize(
    ("metric", "block", "name", "value", "verdict"),
    [
        pytest.param("missing", [9, 9, 2, 0, 10, 10, 0, 0], "age", 0, "Pass", id="as before"),
        pytest.param("missing", [5, 5, 10, 0, 10, 10, 0, 0], "age", 0.4, "Fail", id="missing"),
        pytest.param("missing", [9, 9, 2, 0, 5, 5, 0, 10], "city", 0.5, "Fail", id="no city"),
        pytest.param("unseen", [9, 9, 2, 0, 5, 5, 10, 0], "city", 0.48, "Fail", id="unseen"),
        pytest.param("out_of_range", [9, 9, 2, 9, 5, 5, 10, 0], "age", 0.5, "Fail", id="outside"),
        pytest.param("out_of_range", [9, 9, 2, 0, 5, 5, 10, 0], "age", 0, "Pass", id="inside"),
    ],
)
def test_quality(metric: str, block: list[int], name: str, value: float, verdict: str) -> None:
    found = judge(_quality(block), LAYOUT, _asked(metric, 0.05), windows=HOURS)
    [finding] = [f for f in found if f.feature == name]
    assert (finding.value, finding.verdict) == (pytest.approx(value), verdict)
    assert (finding.metric, finding.threshold) == (metric, 0.05)


@pytest.mark.parametrize(("metric", "name"), [("unseen", "age"), ("out_of_range", "city")])
def test_values_that_a_feature_cannot_have_are_not_asked_for(metric: str, name: str) -> None:
    window = _quality([9, 9, 2, 0, 10, 10, 0, 0])
    with pytest.raises(ValueError, match=metric):
        judge(window, LAYOUT, {name: [Rule(metric)]}, windows=HOURS)


def test_without_rules_nothing_is_judged() -> None:
    assert judge(_quality([9, 9, 2, 0, 10, 10, 0, 0]), LAYOUT, {}, windows=HOURS) == []


@pytest.mark.parametrize(
    ("bad", "verdict", "why"),
    [
        pytest.param(10, "Inconclusive", "NotProven", id="a little above the limit"),
        pytest.param(100, "Fail", "", id="far above"),
    ],
)
def test_a_rate_must_be_proved(bad: int, verdict: str, why: str) -> None:
    generator = np.random.default_rng(1)
    missing = np.bincount(generator.integers(0, 60, 50 + bad), minlength=60)
    cells = np.stack([0 * missing + 8, 0 * missing + 8, missing, 0 * missing], axis=1)
    layout = Layout.of([Feature("age", "numeric", [500, 500, 0, 0])])
    window = counted(layout, cells.astype(np.uint32))
    [found] = judge(window, layout, _each(layout, Rule("missing")), windows=HOURS)
    assert (found.verdict, found.why) == (verdict, why)


def test_one_burst_of_missing_values_proves_nothing() -> None:
    cells = np.tile([10, 10, 0, 0], (60, 1))
    cells[7] = [0, 0, 200, 0]
    layout = Layout.of([Feature("age", "numeric", [500, 500, 0, 0])])
    window = counted(layout, cells.astype(np.uint32))
    [found] = judge(window, layout, _each(layout, Rule("missing")), windows=HOURS)
    assert found.value == pytest.approx(200 / 1380)
    assert found.verdict == "Inconclusive"


def test_a_limit_of_nothing() -> None:
    none = judge(
        _quality([9, 9, 2, 0, 5, 5, 0, 0]), LAYOUT, _asked("out_of_range", 0), windows=HOURS
    )
    some = judge(
        _quality([9, 9, 2, 1, 5, 5, 0, 0]), LAYOUT, _asked("out_of_range", 0), windows=HOURS
    )
    assert (none[0].verdict, some[0].verdict) == ("Pass", "Fail")
