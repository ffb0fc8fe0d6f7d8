"""What the simulation of rollouts runs is what the operator runs."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from pawl.stats.sequential import clusters, proportions, psi, ratio
from pawl.stats.sequential.latency import FASTER, SLOWER
from pawl.stats.sequential.odds import Interval, bets, log_odds

ROLLOUTS = 5


@pytest.mark.parametrize("base", [0.0, 0.01, 0.3, 0.98])
def test_proportions(twin: Any, base: float) -> None:
    generator = np.random.default_rng(1)
    ours = [proportions.start()] * ROLLOUTS
    theirs = twin.Proportions(ROLLOUTS, 0.02)
    for step in range(30):
        weight = [0.05, 0.25, 0.5][step // 10]
        nc = generator.binomial(60, weight, ROLLOUTS)
        ns = 60 - nc
        counts = twin.Counts(
            ns, generator.binomial(ns, base), nc, generator.binomial(nc, min(base + 0.1, 1))
        )
        effect = generator.uniform(1, 3, ROLLOUTS)
        theirs.update(counts, effect)
        ours = [
            proportions.update(
                state,
                Interval(*(int(part[i]) for part in counts)),
                margin=0.02,
                design_effect=effect[i],
            )
            for i, state in enumerate(ours)
        ]
    assert theirs.most_fail == pytest.approx([state.most_fail for state in ours], abs=1e-7)
    assert theirs.most_pass == pytest.approx([state.most_pass for state in ours], abs=1e-7)


def test_latency(twin: Any) -> None:
    generator = np.random.default_rng(2)
    gate = twin.Latency(ROLLOUTS, 0.95)
    sums = np.zeros((ROLLOUTS, len(SLOWER))), np.zeros((ROLLOUTS, len(FASTER)))
    shifts = [
        [log_odds(min(m * 0.05, 1 - 0.05 * 0.95)) - log_odds(0.05) for m in multiples]
        for multiples in (SLOWER, FASTER)
    ]
    for _ in range(10):
        nc = generator.binomial(80, 0.3, ROLLOUTS)
        above, below = (
            twin.Counts(
                80 - nc, generator.binomial(80 - nc, 0.05), nc, generator.binomial(nc, slow)
            )
            for slow in (0.1, 0.02)
        )
        gate.update(above, below)
        for counts, total, log_ratios in zip((above, below), sums, shifts, strict=True):
            for i in range(ROLLOUTS):
                total[i] += bets(Interval(*(int(part[i]) for part in counts)), log_ratios)
    assert gate.fail == pytest.approx(sums[0], abs=1e-7)
    assert gate.passing == pytest.approx(sums[1], abs=1e-7)


@pytest.mark.parametrize("tilt", [0.0, 0.1, 0.4])
def test_psi(twin: Any, tilt: float) -> None:
    generator = np.random.default_rng(3)
    f = np.array([0.1, 0.2, 0.3, 0.3, 0.1])
    g = f * np.exp(tilt * np.arange(5))
    g /= g.sum()
    names = [str(i) for i in range(5)]
    learnt = generator.multinomial(300, f, ROLLOUTS)
    learnt = np.concatenate([learnt, np.zeros((ROLLOUTS, 1), dtype=int)], axis=1)
    theirs = twin.Psi(0.15, learnt)
    ours = [psi.update(psi.start(), _named(names, counts), {}, maximum=0.15) for counts in learnt]
    effect = np.array([1.0, 1.0, 1.5, 2.0, 3.0])
    for step in range(14):
        size = 100 if step < 7 else 700
        stable, candidate = (
            np.concatenate([generator.multinomial(size, p, ROLLOUTS), [[0]] * ROLLOUTS], axis=1)
            for p in (f, g)
        )
        theirs.update(stable, candidate, effect)
        ours = [
            psi.update(
                state,
                _named(names, stable[i]),
                _named(names, candidate[i]),
                maximum=0.15,
                design_effect=effect[i],
            )
            for i, state in enumerate(ours)
        ]
    assert theirs.most_fail == pytest.approx([state.most_fail for state in ours], abs=1e-6)
    assert theirs.most_pass == pytest.approx([state.most_pass for state in ours], abs=1e-6)


def _named(names: list[str], counts: Any) -> dict[str, int]:
    return {name: int(n) for name, n in zip(names, counts, strict=False)}


def test_sample_ratio(twin: Any) -> None:
    generator = np.random.default_rng(4)
    theirs, ours = twin.Ratio(ROLLOUTS), [ratio.start()] * ROLLOUTS
    effect = generator.uniform(1, 5, ROLLOUTS)
    nothing = np.zeros(ROLLOUTS, dtype=int)
    for share in (0.05, 0.25, 0.5):
        nc = generator.binomial(400, share * 1.2, ROLLOUTS)
        theirs.update(twin.Counts(400 - nc, nothing, nc, nothing), share, effect)
        ours = [
            ratio.update(s, int(400 - n), int(n), share=share, design_effect=d)
            for s, n, d in zip(ours, nc, effect, strict=True)
        ]
    assert theirs.most == pytest.approx([state.most for state in ours])


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.3])
def test_design_effects(twin: Any, rate: float) -> None:
    world = importlib.import_module("benchmarks.rollouts.world")
    generator = np.random.default_rng(5)
    n = generator.poisson([[[30.0], [2.0]]], (ROLLOUTS, 2, 64))
    k = generator.binomial(n, rate)
    arms = [
        [list(zip(n[i, arm].tolist(), k[i, arm].tolist(), strict=True)) for arm in (0, 1)]
        for i in range(ROLLOUTS)
    ]
    theirs = world.design_effect(n.astype(float), k.astype(float))
    assert theirs == pytest.approx([clusters.design_effect(*pair) for pair in arms])
    shares = world.share_design_effect(n.astype(float), 0.05)
    assert shares == pytest.approx(
        [clusters.share_design_effect(*n[i].tolist(), 0.05) for i in range(ROLLOUTS)]
    )
