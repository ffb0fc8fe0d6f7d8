"""What a server's monitor port says of features, read with suspicion like all of its pages."""

from __future__ import annotations

import base64
import binascii
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pawl.control.snapshot import at_most, count, page_of
from pawl.stats.drift.layout import Feature, Layout

#: Seconds that servers remember.
REMEMBERED = 1200
_STEPS = (1, 10, 60)
#: A server has no room for more.
_MOST_CELLS = 16_384
_MOST_FINE = 65_536
#: Larger sums of values are taken to be this: squares of sums over a window are numbers still.
_MOST_SUM = 1e130
_MOST_GROUPS = 64


@dataclass(frozen=True)
class Steps:
    """What one pod counted: `cells` is [steps, cells], the first step of `step` seconds begins at
    `start`. `layout` names what the cells are. `fine` are counts and sums of the fine bins, over
    all steps, where they were asked for; `groups`: rows and positive answers."""

    layout: str
    start: int
    step: int
    cells: NDArray[np.uint32]
    fine: tuple[NDArray[np.uint32], NDArray[np.float64]] | None = None
    groups: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def within(self, begin: int, end: int) -> bool:
        """Whether it tells of nothing else."""
        return begin <= self.start and self.stop <= end

    @property
    def stop(self) -> int:
        """Where its last step ends."""
        return self.start + self.step * len(self.cells)


def parse_steps(body: bytes, model: str | None, version: int) -> Steps:
    """A `/features` page of that version. ValueError when it is none."""
    try:
        page = page_of(body, model, version)
        start, stop, step = (count(page[name]) for name in ("from", "to", "step"))
        if step not in _STEPS or start % step or stop % step:
            raise ValueError(f"not whole steps of {step} s: {start} to {stop}")
        steps = (stop - start) // step
        if not 0 <= steps <= 2 * REMEMBERED:
            raise ValueError(f"{steps} steps")
        cells = _numbers(page["cells"], "<u4")
        width = len(cells) // steps if steps else 0
        told = list(page.get("groups", {}).items())[:_MOST_GROUPS]
        groups = {str(name)[:64]: _tally(row) for name, row in told}
        if len(cells) != width * steps or width > _MOST_CELLS:
            raise ValueError(f"{len(cells)} counts for {steps} steps")
        blocks, fine = cells.reshape(steps, width), _fine(page)
        return Steps(str(page["layout"])[:64], start, step, blocks, fine, groups)
    except (LookupError, TypeError, AttributeError, binascii.Error, OverflowError) as error:
        raise ValueError(f"not a page of features: {error!r}") from error


def _tally(row: Sequence[object]) -> tuple[int, int]:
    n, positive = map(count, row)
    return at_most(n, positive), positive


@dataclass(frozen=True)
class Described:
    """What the cells of a version are; `name` is how its pods call that. `places` has the cell of
    each feature's labels."""

    name: str
    layout: Layout
    places: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def fits(self, page: Steps, step: int, *, fine: bool) -> bool:
        """Whether a page counts those cells by such steps, and fine bins where they are wanted."""
        bins = None if page.fine is None else len(page.fine[0])
        return (
            (page.layout, page.step) == (self.name, step)
            and (not len(page.cells) or page.cells.shape[1] == len(self.layout.cells.of))
            and bins == (len(self.layout.fine.of) if fine else None)
        )


def parse_layout(body: bytes, model: str | None, version: int) -> Described:
    """A `/features/layout` page of that version. ValueError when it is none."""
    try:
        page = page_of(body, model, version)
        layout = Layout.of(_feature(told) for told in page["features"])
        cells, fine = len(layout.cells.of), len(layout.fine.of)
        if cells > _MOST_CELLS or fine > _MOST_FINE:
            raise ValueError(f"{cells} cells and {fine} fine bins are too many")
        return Described(str(page["layout"])[:64], layout, _places(page["features"]))
    except (LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"not a page of a layout: {error!r}") from error


def _feature(told: Mapping[str, Any]) -> Feature:
    kind = told["kind"]
    if not told["name"]:  # a column without a name cannot be told of
        raise ValueError("a feature without a name")
    if kind not in ("numeric", "category"):
        raise ValueError(f"there is no kind {kind!r}")
    # Arrays take a quarter of the memory of lists, and there may be thousands of layouts.
    reference = array("d", map(count, told["reference"]))
    fine = array("d", map(count, told.get("fineReference", ())))
    return Feature(str(told["name"])[:128], kind, reference, fine, _finite(told))


def _places(features: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    found, at = {}, 0
    for told in features:
        cells = len(told["reference"])
        for place, label in enumerate(told.get("labels", ())[:cells]):
            found[str(told["name"])[:128], str(label)] = at + place
        at += cells
    return found


def _finite(told: Mapping[str, Any]) -> Sequence[float]:
    sums = [float(number) for number in told.get("fineSums", ())]
    if not all(map(isfinite, sums)):
        raise ValueError("a sum is not finite")
    return array("d", (min(max(number, -_MOST_SUM), _MOST_SUM) for number in sums))


def _fine(page: Mapping[str, Any]) -> tuple[NDArray[Any], NDArray[Any]] | None:
    if "fine" not in page:
        return None
    counts, sums = _numbers(page["fine"], "<u4"), _numbers(page["sums"], "<f8")
    if len(counts) != len(sums) or len(counts) > _MOST_FINE or not np.isfinite(sums).all():
        raise ValueError("not counts and sums of fine bins")
    return counts, sums.clip(-_MOST_SUM, _MOST_SUM)


def _numbers(text: Any, kind: str) -> NDArray[Any]:
    data = base64.b64decode(text, validate=True)
    if len(data) % np.dtype(kind).itemsize:
        raise ValueError("half a number")
    return np.frombuffer(data, dtype=kind)
