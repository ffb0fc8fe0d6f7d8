"""The figure on drift of docs/statistics.md."""

from __future__ import annotations

import numpy as np

from benchmarks import svg
from benchmarks.drifts.detection import detection
from benchmarks.drifts.traffic import BINS, FEATURES, MONTH, REFERENCE, World
from benchmarks.svg import BLUE, GREEN, GREY, RED, Panel
from pawl.stats.drift import divergences
from pawl.stats.drift.layout import Ragged

ROWS = (100, 150, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000, 10_000)
RARE = 0.9999
TRIALS, INDICES = 40, np.arange(0.05, 0.51, 0.025)


def drift() -> str:
    """What chance makes of the plain index, and which true index one hour finds."""
    return svg.figure([chance(), found()], "Plain PSI without drift, and features found by an hour")


def chance() -> Panel:
    """The mean, and what one in 10,000 exceeds (of 43,200 a month), where nothing changes."""
    panel = Panel(
        "Plain PSI of an hour without any drift",
        "rows in the hour",
        "",
        (100, 10_000),
        (0, 0.6),
        (100, 300, 1000, 3000, 10_000),
        (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
        log_x=True,
    )
    panel.level(0.2, GREY, "0.2")
    for burst, colour, name, place in (
        (1, BLUE, "independent rows", (105, 0.02)),
        (5, RED, "five rows a user", (820, 0.3)),
    ):
        points = [(rows, plain(rows, burst)) for rows in ROWS]
        panel.line([(n, float(np.mean(index))) for n, index in points], colour, width=1.1)
        panel.line([(n, float(np.quantile(index, RARE))) for n, index in points], colour)
        panel.text(*place, name, colour)
    panel.text(9500, 0.54, "thick: four exceed it in a month", GREY, anchor="end")
    panel.text(9500, 0.5, "thin: the mean", GREY, anchor="end")
    return panel


def plain(rows: int, burst: int) -> np.ndarray:
    """Indices of all hours and features of a month."""
    generator = np.random.default_rng(rows)
    size = FEATURES * MONTH
    even = np.full(BINS, 1 / BINS)
    bins = Ragged.sized([BINS] * size)
    window = burst * generator.multinomial(rows // burst, even, size).ravel()
    reference = np.tile(generator.multinomial(REFERENCE, even, FEATURES), (MONTH, 1)).ravel()
    return divergences.psi(bins, window.astype(float), reference.astype(float))


def found() -> Panel:
    """Shares of features found, by their true index."""
    panel = Panel(
        "Found by one hour, threshold 0.2",
        "true PSI",
        "",
        (0, 0.5),
        (0, 1),
        (0, 0.1, 0.2, 0.3, 0.4, 0.5),
        (0, 0.25, 0.5, 0.75, 1),
        y_format="{:.0%}".format,
    )
    panel.line([(0.2, 0), (0.2, 1)], GREY, width=1.2, dash="5 4")
    for row, (rows, colour) in enumerate(((500, BLUE), (1000, GREEN), (5000, RED))):
        points = [
            (float(index), detection(World(rows), "moved", float(index), TRIALS, 2).ours)
            for index in INDICES
        ]
        panel.line(points, colour)
        panel.text(0.49, 0.2 - 0.08 * row, f"{rows:,} rows", colour, anchor="end")
    return panel
