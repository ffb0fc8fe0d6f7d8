"""The newest labelled rows, on which the gates of a retrain run.

A retrain answers a change, so what came last must judge it, and nothing that judges may be older
than what was learnt from:

    older rows     | embargo |     window      | not mature
    train,  ..., old         start          now − labelDelay

mature   not younger than `labelDelay`. Labels that come early are of one kind, so none counts
         before the rest has had time to come.
window   the newest min(split.test × mature, newer / 2) mature rows, and all that are of the same
         time as the oldest of them. `newer` are those that the served version's run had not seen:
         the other half of them is there to learn from.
embargo  `labelDelay` before the window. When the window began their labels were not known, so no
         model could have learnt from them (purging, López de Prado 2018, 7.4.1).
older    split as the recipe says, by hash or by group; their test part is the old window. Time
         alone divides them from the window, so a group may be on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pawl.api.duration import seconds
from pawl.api.trainingjob import Cause
from pawl.artifacts.records import Window
from pawl.errors import DataError
from pawl.training.times import Moments, read, written


@dataclass(frozen=True, slots=True)
class Newest:
    """Which rows `count` (those of the embargo and immature ones do not), and which of these are
    the `test` rows, in the window. `told` says what was left out."""

    count: NDArray[np.bool_]
    test: NDArray[np.bool_]
    window: Window
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows with a label by their `times` (µs), which of them are mature, and how many are new."""

    cause: Cause
    times: Moments
    mature: NDArray[np.bool_]
    newer: int

    def too_few(self) -> str:
        """A sentence when there are too few to train and to judge a successor; else nothing."""
        least, since = self.cause.min_labelled or 1, self.cause.data_newest
        if self.newer >= least:
            return ""
        rows = "row is" if self.newer == 1 else "rows are"
        newer = f"newer than {since} and " if since else ""
        return (
            f"{self.newer:,} labelled {rows} {newer}older than labelDelay ({self._late}), "
            f"minLabelled is {least:,}"
        )

    def newest(self, test: float) -> Newest:
        """The window; `test` is the share of test rows. DataError when no row is left to train on.
        There must be a mature row."""
        ordered = np.sort(self.times[self.mature])
        size = max(1, int(min(test * len(ordered), self.newer / 2)))
        start = int(ordered[-size])
        embargo = start - _delay(self.cause)
        cut = Window(embargo=written(embargo), start=written(start), end=written(int(ordered[-1])))
        older, inside = self.times < embargo, self.mature & (self.times >= start)
        if not older.any():
            raise DataError(
                f"the newest {size:,} labelled rows begin at {cut.start}, and none is older than "
                f"labelDelay ({self._late}) before that to train on",
                reason="TooFewRows",
            )
        count = older | inside
        return Newest(count, inside[count], cut, self._told(count))

    @property
    def _late(self) -> str:
        return self.cause.label_delay or "0s"

    def _told(self, count: NDArray[np.bool_]) -> tuple[str, ...]:
        young = int((~self.mature).sum())
        between = int((~count).sum()) - young
        if not young + between:
            return ()
        return (
            f"{young:,} rows are younger than labelDelay ({self._late}), and "
            f"{between:,} are within it before the newest window: left out",
        )


def labelled(times: Moments, cause: Cause, now: int) -> Labelled:
    """What the labels of rows of these `times` are worth at `now` (µs)."""
    mature = times <= now - _delay(cause)
    newer = mature & (times > read(cause.data_newest)) if cause.data_newest else mature
    return Labelled(cause, times, mature, int(newer.sum()))


def cut_again(times: Moments, window: Window) -> Newest:
    """The same rows as when they were cut into `window` first: the mature ones of the newest end
    with it."""
    inside = (times >= read(window.start)) & (times <= read(window.end))
    count = (times < read(window.embargo)) | inside
    return Newest(count, inside[count], window, ())


def _delay(cause: Cause) -> int:
    """µs."""
    return seconds(cause.label_delay) * 1_000_000 if cause.label_delay else 0
