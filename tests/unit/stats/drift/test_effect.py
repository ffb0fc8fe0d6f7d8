"""Design effects: rows that come together say less."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pawl.stats.drift import effect
from pawl.stats.drift.layout import Feature, Layout
from pawl.stats.drift.window import counted

EVEN = np.full(10, 0.1)


def _blocks(size: int, repeat: int, seed: int = 1, blocks: int = 60) -> np.ndarray:
    """Blocks of `size` different rows on average, each `repeat` times."""
    generator = np.random.default_rng(seed)
    sizes = generator.poisson(size, blocks)
    return repeat * np.array([generator.multinomial(n, EVEN) for n in sizes])


@pytest.mark.parametrize(
    ("repeat", "expected"),
    [pytest.param(1, 1.0, id="independent"), pytest.param(5, 5.0, id="five times each")],
)
def test_repeated_rows_are_found(plain: Callable, repeat: int, expected: float) -> None:
    found = []
    for seed in range(40):
        layout, window = plain([100] * 10, _blocks(10, repeat, seed), features=1)
        found.append(effect.of_bins(window, layout).value[0])
    # the estimate is never below 1, so that of independent rows is a little above
    assert np.mean(found) == pytest.approx(expected, rel=0.06)
    assert min(found) >= 1.0


def test_the_raised_effect_is_rarely_too_low(plain: Callable) -> None:
    raised = []
    for seed in range(200):
        layout, window = plain([100] * 10, _blocks(10, 5, seed, blocks=20))
        raised.append(effect.of_bins(window, layout).raised[0])
    assert np.mean(np.array(raised) < 5.0) <= 0.05


def test_more_blocks_raise_it_less(plain: Callable) -> None:
    by = []
    for blocks in (10, 60, 600):
        layout, window = plain([100] * 10, _blocks(50, 1, blocks=blocks))
        found = effect.of_bins(window, layout)
        by.append(found.raised[0] / found.value[0])
    assert by[0] > 2 > by[1] > 1.3 > by[2] > 1.05


def test_bins_that_move_together_raise_it_more(plain: Callable) -> None:
    """Values drift up and down: of nine eigenvalues one has most of the scatter."""
    generator = np.random.default_rng(4)
    tilts = generator.normal(0, 1, (60, 1)) * np.linspace(-1, 1, 10)
    shares = np.exp(tilts) / np.exp(tilts).sum(axis=1, keepdims=True)
    layout, window = plain([100] * 10, generator.multinomial(100, shares))
    found = effect.of_bins(window, layout)
    p = window.counts[:10] / window.counts[:10].sum()
    blocks = shares - p
    largest = 1 + 100 * np.linalg.eigvalsh(np.cov(blocks.T) / np.sqrt(np.outer(p, p)))[-1]
    assert found.raised[0] > 3 * found.value[0]
    assert 0.6 * largest < found.raised[0] < 1.2 * largest


def test_with_few_blocks_a_block_is_one_row(plain: Callable) -> None:
    layout, window = plain([100] * 10, np.full((5, 10), 8))
    found = effect.of_bins(window, layout)
    assert found.value.tolist() == found.raised.tolist() == [80.0]


def test_many_small_blocks_beside_a_large_one_are_few(plain: Callable) -> None:
    blocks = np.full((60, 10), 1)
    blocks[0] = 500
    layout, window = plain([100] * 10, blocks)
    assert window.blocks == 60
    assert effect.of_bins(window, layout).value[0] > 1000


@pytest.mark.parametrize(
    "blocks",
    [
        pytest.param(np.zeros((20, 10)), id="no rows"),
        pytest.param(np.eye(10)[[0] * 20] * 30, id="always the same value"),
    ],
)
def test_nothing_to_be_seen_is_1(plain: Callable, blocks: np.ndarray) -> None:
    layout, window = plain([100] * 10, blocks)
    assert effect.of_bins(window, layout).value.tolist() == [1.0]


def test_features_do_not_mix() -> None:
    layout = Layout.of([Feature("a", "category", [9] * 4), Feature("b", "numeric", [9] * 12)])
    generator = np.random.default_rng(2)
    a = 5 * generator.multinomial(20, [0.2, 0.3, 0.5], 60)
    b = generator.multinomial(100, EVEN, 60)
    none = np.zeros((60, 1), int)
    window = counted(layout, np.hstack([a, none, b, none, none]).astype(np.uint32))
    of_a, of_b = effect.of_bins(window, layout).value
    assert of_a == pytest.approx(5, rel=0.35)
    assert of_b == pytest.approx(1, rel=0.15)


def test_missing_values_in_bursts() -> None:
    layout = Layout.of([Feature("a", "numeric", [50, 50, 0, 0])])
    generator = np.random.default_rng(3)
    missing = 20 * (generator.random(200) < 0.2)
    cells = np.stack([10 - missing // 2, 10 - missing // 2, missing, 0 * missing], axis=1)
    window = counted(layout, cells.astype(np.uint32))
    first = np.array([0])
    missing_effect = effect.of_cells(window, layout, first, layout.missing)
    assert missing_effect.value[0] == pytest.approx(20, rel=0.02)
    assert effect.of_cells(window, layout, first, layout.extra).value.tolist() == [1.0]
