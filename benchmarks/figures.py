"""The figures of docs/statistics.md, from seeded simulations with pawl.stats.

python -m benchmarks.figures        writes docs/figures/*.svg
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks import svg
from benchmarks.drifts import picture
from benchmarks.rollouts import twin
from benchmarks.rollouts.twin import Counts
from benchmarks.svg import BLUE, GREEN, GREY, RED, Panel
from pawl.stats import loghist
from pawl.stats.sequential import clusters, latency, mean, proportions, psi, ratio
from pawl.stats.sequential.frontier import index_of
from pawl.stats.sequential.proportions import Interval

FOLDER = Path(__file__).parents[1] / "docs" / "figures"
REQUESTS = 500  # of an interval of 5 s
NEED_FAIL, NEED_PASS = math.log(600), math.log(100)
NEED = "log e-value"
CANARY = "canary requests"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    drawn = {
        "looking": looking(),
        "proportions": two_proportions(),
        "latency": slower(),
        "psi": stability(),
        "mean": bounded_mean(),
        "ratio": sample_ratio(),
        "clusters": correlated(),
        "drift": picture.drift(),
    }
    for name, text in drawn.items():
        (FOLDER / f"{name}.svg").write_text(text, encoding="utf-8")


def looking() -> str:
    """Identical versions: how many a z-test has called worse after so many looks."""
    generator = np.random.default_rng(1)
    size, looks = 2000, 240
    totals = np.zeros((4, size))
    gate, peeked = twin.Proportions(size, 0.01), np.zeros(size, dtype=bool)
    theirs: list[tuple[float, float]] = []
    ours: list[tuple[float, float]] = []
    for look in range(1, looks + 1):
        nc = generator.binomial(REQUESTS, 0.05, size)
        ns = REQUESTS - nc
        counts = Counts(ns, generator.binomial(ns, 0.01), nc, generator.binomial(nc, 0.01))
        gate.update(counts)
        totals += counts
        n_s, k_s, n_c, k_c = totals
        pooled = (k_s + k_c) / (n_s + n_c)
        error = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12) * (1 / n_s + 1 / n_c))
        peeked |= (k_c / n_c - k_s / n_s) / error > 2.326
        theirs.append((look / 12, float(peeked.mean())))
        ours.append((look / 12, float((gate.most_fail >= math.log(100)).mean())))
    panel = Panel(
        "A good version is stopped by looking often",
        "minutes, one look every 5 s",
        "stopped so far",
        (0, 20),
        (0, 0.25),
        (0, 5, 10, 15, 20),
        (0, 0.05, 0.1, 0.15, 0.2, 0.25),
        y_format="{:.0%}".format,
    )
    panel.level(0.01, GREY)
    panel.line(theirs, RED)
    panel.text(19.5, theirs[-1][1], "z-test, p < 0.01", RED, anchor="end", dy=-8)
    panel.line(ours, BLUE)
    panel.text(19.5, 0.01, "e-value ≥ 100", BLUE, anchor="end", dy=-8)
    return svg.figure([panel], "Share of identical versions that are stopped, by number of looks")


def two_proportions() -> str:
    """Evidence of both processes for a good and a bad candidate."""
    generator = np.random.default_rng(3)
    panels = []
    for title, of, need in (
        ("Fail: against “not worse”", "log_fail", NEED_FAIL),
        ("Pass: against “worse by 1 point”", "log_pass", NEED_PASS),
    ):
        panel = _evidence(title, (0, 5000), need)
        for rate, colour in ((0.01, BLUE), (0.02, RED)):
            for rollout in range(8):
                states = proportions_of(generator, 0.01, rate, 0.05, 200)
                path = _until([(n, getattr(state, of)) for n, state in states], need)
                panel.line(path, colour, width=1.1, fade=1.0 if rollout < 4 else 0.45)
                if path[-1][1] >= need:
                    panel.mark(path[-1][0], need, colour)
        panel.text(4950, -7.4, "candidate 1 %, as stable", BLUE, anchor="end")
        panel.text(4950, -9.2, "candidate 2 %", RED, anchor="end")
        panels.append(panel)
    return svg.figure(panels, "Log e-values of the Fail and Pass process of an error-rate gate")


def slower() -> str:
    """What counts as slow, and the evidence."""
    spread, t = 0.5, 0.02 * math.exp(0.5 * 1.645)
    seconds = np.linspace(0.001, 0.14, 300)
    shape = Panel(
        "Slow: stable above t, candidate above 1.5 t",
        "latency, ms",
        "requests",
        (0, 140),
        (0, 1.08),
        (0, 20, 40, 60, 80, 100, 120, 140),
        (),
    )
    for median, colour, edge, name in (
        (0.02, BLUE, t, "t"),
        (0.04, RED, 1.5 * t, "1.5 t"),
    ):
        density = np.exp(-(np.log(seconds / median) ** 2) / (2 * spread**2)) / seconds
        points = [(float(x) * 1000, float(y) / 57) for x, y in zip(seconds, density, strict=True)]
        shape.line(points, colour)
        tail = [(x, y) for x, y in points if x >= edge * 1000]
        shape.area([(edge * 1000, 0), *tail, (140, 0)], colour, 0.35)
        shape.line([(edge * 1000, 0), (edge * 1000, 0.5)], colour, width=1.2, dash="3 3")
        shape.text(edge * 1000 + 2, 0.5, name, colour)
    shape.text(30, 0.9, "stable", BLUE)
    shape.text(62, 0.3, "candidate, twice as slow", RED)
    generator = np.random.default_rng(5)
    gate = {"quantile": 0.95, "ratio": 1.5}
    panel = _evidence("Evidence: Fail (red), Pass (blue)", (0, 600), NEED_FAIL)
    panel.level(NEED_PASS, GREY)
    panel.text(600, NEED_PASS, "100", GREY, anchor="end", dy=13)
    for median, colour, of, most in (
        (0.02, BLUE, "log_pass", NEED_PASS),
        (0.04, RED, "log_fail", NEED_FAIL),
    ):
        for _ in range(6):
            state, path = latency.start(), [(0.0, 0.0)]
            while path[-1][0] < 600 and path[-1][1] < most:
                nc = int(generator.binomial(REQUESTS, 0.05))
                arms = [
                    Counter(loghist.index(x) for x in generator.lognormal(math.log(m), spread, n))
                    for m, n in ((0.02, REQUESTS - nc), (median, nc))
                ]
                state = latency.update(state, arms[0], arms[1], **gate)
                path.append((state.overlap.candidate_n, getattr(state, of)))
            panel.line(path, colour, width=1.1)
    return svg.figure([shape, panel], "Latency gate: slow requests and evidence")


def stability() -> str:
    """Evidence on the stability index against the canary's requests, for several true indices."""
    generator = np.random.default_rng(7)
    even = np.full(10, 0.1)
    panels = [
        _evidence("Pass: against “PSI ≥ 0.2”", (0, 4000), NEED_PASS),
        _evidence("Fail: against “PSI ≤ 0.2”", (0, 4000), NEED_FAIL),
    ]
    for by, colour in ((0.0, BLUE), (0.08, GREEN), (0.3, RED)):
        g = np.exp(by * np.arange(10))
        g /= g.sum()
        index = index_of(even.tolist(), g.tolist())
        for _ in range(3):
            state = psi.start()
            paths: list[list[tuple[float, float]]] = [[], []]
            while state.candidate_n < 4000:
                nc = int(generator.binomial(REQUESTS, 0.05))
                state = psi.update(
                    state,
                    _named(generator.multinomial(REQUESTS - nc, even)),
                    _named(generator.multinomial(nc, g)),
                    maximum=0.2,
                )
                for path, value in zip(paths, (state.log_pass, state.log_fail), strict=True):
                    if value > -50:
                        path.append((state.candidate_n, value))
            for panel, path in zip(panels, paths, strict=True):
                if path:
                    panel.line(path, colour, width=1.1)
        row = {0.0: -9.2, 0.08: -7.4, 0.3: -5.6}[by]
        panels[0].text(3950, row, f"PSI {index:.2f}", colour, anchor="end")
    return svg.figure(panels, "Log e-values on the stability index")


def bounded_mean() -> str:
    """The share of pairs that disagree, with its confidence sequence."""
    generator = np.random.default_rng(9)
    panel = Panel(
        "Shadow: share of pairs that disagree, limit 5 %",
        "pairs",
        "",
        (50, 3000),
        (0, 0.2),
        (50, 100, 300, 1000, 3000),
        (0, 0.05, 0.1, 0.15, 0.2),
        y_format="{:.0%}".format,
        log_x=True,
    )
    panel.level(0.05, GREY, "limit")
    for share, colour in ((0.02, BLUE), (0.1, RED)):
        state, seen, verdict = mean.start(), [], None
        while state.n < 3000:
            k = int(generator.binomial(25, share))
            state = mean.update(state, 25, k, k, limit=0.05)
            seen.append((state.n, state.estimate()))
            found = mean.judge(state, alpha_fail=0.01 / 6, alpha_pass=0.01)
            if verdict is None and found != "Inconclusive":
                verdict = (state.n, state.estimate().value, found)
        low = [(n, estimate.low) for n, estimate in seen]
        high = [(n, estimate.high) for n, estimate in seen]
        panel.area([*low, *reversed(high)], colour)
        panel.line([(n, estimate.value) for n, estimate in seen], colour)
        if verdict is not None:
            n, value, word = verdict
            panel.mark(n, value, colour)
            panel.text(n, value, word, colour, dy=-10)
    return svg.figure([panel], "Share of disagreeing pairs with confidence sequence and verdict")


def sample_ratio() -> str:
    """Configured against real share over the steps."""
    generator = np.random.default_rng(11)
    panel = _evidence("Traffic split: against “as configured”", (0, 100), math.log(1000))
    panel.x_label, panel.x_ticks = "looks (5 % until 60, then 25 %)", (0, 20, 40, 60, 80, 100)
    for lost, colour in ((0.0, BLUE), (0.1, RED)):
        for _ in range(6):
            state, path = ratio.start(), [(0.0, 0.0)]
            for look in range(100):
                share = 0.05 if look < 60 else 0.25
                nc = int(generator.binomial(REQUESTS, share))
                counted = int(generator.binomial(nc, 1 - lost))
                state = ratio.update(state, REQUESTS - nc, counted, share=share)
                path.append((look + 1, state.log_mismatch))
                if state.mismatch():
                    break
            panel.line(path, colour, width=1.1)
    panel.text(99, -7.4, "as configured", BLUE, anchor="end")
    panel.text(99, -9.2, "one in ten canary requests is not counted", RED, anchor="end")
    return svg.figure([panel], "Evidence of a sample-ratio mismatch")


def correlated() -> str:
    """Identical versions and users whose requests fail together."""
    generator = np.random.default_rng(13)
    panels = [
        _evidence("As if requests were independent", (0, 3000), NEED_FAIL),
        _evidence("Divided by the design effect", (0, 3000), NEED_FAIL),
    ]
    for _ in range(25):
        for panel, path in zip(panels, _sticky_paths(generator), strict=True):
            crossed = max(y for _, y in path) >= NEED_FAIL
            panel.line(path, RED if crossed else BLUE, width=1.0, fade=1.0 if crossed else 0.6)
    return svg.figure(panels, "Evidence against identical versions with correlated requests")


def _sticky_paths(generator: np.random.Generator) -> list[list[tuple[float, float]]]:
    users, r = 2000, 1 / 0.3 - 1
    rates = generator.beta(0.01 * r, 0.99 * r, users)
    canary = generator.random(users) < 0.05
    counts = np.zeros((2, clusters.BUCKETS, 2), dtype=int)
    state, divided = proportions.start(), proportions.start()
    paths: list[list[tuple[float, float]]] = [[(0, 0)], [(0, 0)]]
    while state.candidate_n < 3000 and len(paths[0]) < 120:
        who = generator.integers(0, users, REQUESTS)
        failed = generator.random(REQUESTS) < rates[who]
        arm = canary[who].astype(int)
        np.add.at(counts[:, :, 0], (arm, who % clusters.BUCKETS), 1)
        np.add.at(counts[:, :, 1], (arm, who % clusters.BUCKETS), failed)
        n, k = np.bincount(arm, minlength=2), np.bincount(arm, failed, 2)
        seen = Interval(int(n[0]), int(k[0]), int(n[1]), int(k[1]))
        effect = clusters.design_effect(*([(int(n), int(k)) for n, k in part] for part in counts))
        state = proportions.update(state, seen, margin=0.01)
        divided = proportions.update(divided, seen, margin=0.01, design_effect=effect)
        for path, one in zip(paths, (state, divided), strict=True):
            path.append((one.candidate_n, one.log_fail))
    return paths


def proportions_of(
    generator: np.random.Generator, stable: float, candidate: float, weight: float, looks: int
) -> list[tuple[int, proportions.TwoProportions]]:
    """(candidate requests, state) after each look."""
    state, found = proportions.start(), []
    for _ in range(looks):
        nc = int(generator.binomial(REQUESTS, weight))
        ks = int(generator.binomial(REQUESTS - nc, stable))
        kc = int(generator.binomial(nc, candidate))
        state = proportions.update(state, Interval(REQUESTS - nc, ks, nc, kc), margin=0.01)
        found.append((state.candidate_n, state))
    return found


def _evidence(title: str, x_range: tuple[float, float], need: float) -> Panel:
    step = x_range[1] / 4
    panel = Panel(
        title,
        CANARY,
        NEED,
        x_range,
        (-10, 10),
        [step * i for i in range(5)],
        (-10, -5, 0, 5, 10),
    )
    panel.level(need, GREY, f"proved: e-value {math.exp(need):,.0f}")
    return panel


def _until(path: list[tuple[float, float]], need: float) -> list[tuple[float, float]]:
    """The path up to where it first proves something."""
    ends = next((i for i, (_, value) in enumerate(path) if value >= need), len(path))
    return path[: ends + 1]


def _named(counts: np.ndarray) -> dict[str, int]:
    return {str(i): int(n) for i, n in enumerate(counts)}


if __name__ == "__main__":
    main()
