"""What a server's monitor port says of features, read with suspicion like all of its pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pawl.control.snapshot import count, page_of
from pawl.stats.drift.layout import Feature, Layout

#: Seconds that servers remember.
REMEMBERED = 1200
_STEPS = (1, 10, 60)
_MOST_CELLS = 65_536
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

    def fits(self, layout: str, width: int, step: int) -> bool:
        """Whether it counts those cells by such steps."""
        return (self.layout, self.step) == (layout, step) and (
            not len(self.cells) or self.cells.shape[1] == width
        )

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
        groups = {str(name)[:64]: (count(row[0]), count(row[1])) for name, row in told}
        if len(cells) != width * steps or width > _MOST_CELLS:
            raise ValueError(f"{len(cells)} counts for {steps} steps")
        blocks, fine = cells.reshape(steps, width), _fine(page)
        return Steps(str(page["layout"])[:64], start, step, blocks, fine, groups)
    except (KeyError, TypeError, AttributeError, binascii.Error, OverflowError) as error:
        raise ValueError(f"not a page of features: {error!r}") from error


@dataclass(frozen=True)
class Described:
    """What the cells of a version are; `name` is how its pods call that. `places` has the cell of
    each feature's labels."""

    name: str
    layout: Layout
    places: Mapping[tuple[str, str], int] = field(default_factory=dict)


def parse_layout(body: bytes, model: str | None, version: int) -> Described:
    """A `/features/layout` page of that version. ValueError when it is none."""
    try:
        page = page_of(body, model, version)
        layout = Layout.of(_feature(told) for told in page["features"])
        if len(layout.cells.of) > _MOST_CELLS:
            raise ValueError(f"{len(layout.cells.of)} cells are too many")
        return Described(str(page["layout"])[:64], layout, _places(page["features"]))
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"not a page of a layout: {error!r}") from error


def _feature(told: Mapping[str, Any]) -> Feature:
    kind = told["kind"]
    if kind not in ("numeric", "category"):
        raise ValueError(f"there is no kind {kind!r}")
    reference = [float(count(n)) for n in told["reference"]]
    fine = [float(count(n)) for n in told.get("fineReference", ())]
    return Feature(str(told["name"])[:128], kind, reference, fine, _finite(told))


def _places(features: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    found, at = {}, 0
    for told in features:
        cells = len(told["reference"])
        for place, label in enumerate(told.get("labels", ())[:cells]):
            found[str(told["name"])[:128], str(label)] = at + place
        at += cells
    return found


def _finite(told: Mapping[str, Any]) -> list[float]:
    sums = [float(number) for number in told.get("fineSums", ())]
    if not all(map(isfinite, sums)):
        raise ValueError("a sum is not finite")
    return sums


def _fine(page: Mapping[str, Any]) -> tuple[NDArray[Any], NDArray[Any]] | None:
    if "fine" not in page:
        return None
    counts, sums = _numbers(page["fine"], "<u4"), _numbers(page["sums"], "<f8")
    if len(counts) != len(sums) or len(counts) > _MOST_CELLS or not np.isfinite(sums).all():
        raise ValueError("not counts and sums of fine bins")
    return counts, sums


def _numbers(text: Any, kind: str) -> NDArray[Any]:
    data = base64.b64decode(text, validate=True)
    if len(data) % np.dtype(kind).itemsize:
        raise ValueError("half a number")
    return np.frombuffer(data, dtype=kind)
