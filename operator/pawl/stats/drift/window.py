"""What was counted in one window, as sums over its blocks.

A block is a minute over all pods: the rows of one user or burst fall into the same one. With X_b
the counts of a cell in block b and n_b the rows that its share is of, the sums ΣX, ΣX², ΣX·n, Σn
and Σn² are all that shares and their variance between blocks need (`effect`); so are they for
running counts X_1 + … + X_k of a feature's bins. Sums add up, so windows merge, in any order.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pawl.stats.drift.layout import Layout
from pawl.stats.metrics import Floats

_HEAD = struct.Struct("<4s12sI?")  # format, digest of the layout, blocks, whether there is fine


@dataclass(frozen=True, slots=True)
class Window:
    """Sums over `blocks` blocks that had rows, of C cells, B bins and F features.

    `whole` and `whole2` are Σn and Σn² [2, F]: of values that are present, then of all rows.
    `fine` and `fine_sums` are counts and sums of the fine bins, over the window; None when they
    were not asked for.
    """

    counts: Floats  # [C] ΣX
    squares: Floats  # [C] ΣX²
    cross: Floats  # [C] ΣX·n
    running: Floats  # [B] Σ(X_1 + … + X_k)²
    whole: Floats
    whole2: Floats
    blocks: int
    fine: Floats | None = None
    fine_sums: Floats | None = None

    @property
    def rows(self) -> int:
        """Rows scored: those of the feature that was counted most often."""
        return int(self.whole[1].max(initial=0.0))

    def merged(self, other: Window) -> Window:
        """Both windows as one. Fine bins only if both have them."""
        fine, sums = None, None
        if self.fine is not None and other.fine is not None:
            fine = self.fine + other.fine
        if self.fine_sums is not None and other.fine_sums is not None:
            sums = self.fine_sums + other.fine_sums
        return Window(
            self.counts + other.counts,
            self.squares + other.squares,
            self.cross + other.cross,
            self.running + other.running,
            self.whole + other.whole,
            self.whole2 + other.whole2,
            self.blocks + other.blocks,
            fine,
            sums,
        )

    def only(self, layout: Layout, features: NDArray[np.bool_]) -> Window:
        """What was counted of some features [F], and 0 of the others."""
        cells, bins, fine = (features[row.of] for row in (layout.cells, layout.bins, layout.fine))
        return Window(
            self.counts * cells,
            self.squares * cells,
            self.cross * cells,
            self.running * bins,
            self.whole * features,
            self.whole2 * features,
            self.blocks,
            None if self.fine is None else self.fine * fine,
            None if self.fine_sums is None else self.fine_sums * fine,
        )

    def dump(self, layout: Layout) -> bytes:
        """As bytes, compressed: about 4 KB for an hour of 60 features and 1,200 rows."""
        parts = [self.counts, self.squares, self.cross, self.running]
        parts += [self.whole.ravel(), self.whole2.ravel()]
        if self.fine is not None and self.fine_sums is not None:
            parts += [self.fine, self.fine_sums]
        whole = np.concatenate(parts)
        head = _HEAD.pack(b"pwd1", layout.digest.encode(), self.blocks, self.fine is not None)
        # by significance: the many zero bytes of small numbers come to lie together
        planes = whole.astype("<f8").view(np.uint8).reshape(-1, 8).T
        return head + zlib.compress(planes.tobytes(), 9)


def empty(layout: Layout, *, fine: bool = False) -> Window:
    """Nothing counted yet; with `fine`, of the fine bins too."""
    cells, bins, features, fines = _sizes(layout)
    return Window(
        np.zeros(cells),
        np.zeros(cells),
        np.zeros(cells),
        np.zeros(bins),
        np.zeros((2, features)),
        np.zeros((2, features)),
        0,
        np.zeros(fines) if fine else None,
        np.zeros(fines) if fine else None,
    )


def counted(
    layout: Layout,
    cells: NDArray[np.uint32],
    *,
    fine: NDArray[np.uint32] | None = None,
    fine_sums: Floats | None = None,
) -> Window:
    """The window of these blocks: counts [blocks, C], fine counts and sums [fine bins] over all of
    them. Blocks without rows do not count. ValueError for another shape."""
    size, _, _, fines = _sizes(layout)
    if cells.ndim != 2 or cells.shape[1] != size:
        raise ValueError(f"counts have the shape {cells.shape}, the layout has {size} cells")
    for given in (fine, fine_sums):
        if given is not None and given.shape != (fines,):
            raise ValueError(f"{given.shape} fine counts or sums, the layout has {fines}")
    x = cells.astype(np.float64)
    of_bins = x[:, layout.bin_cells]
    running = layout.bins.running(of_bins)
    present = np.add.reduceat(of_bins, layout.bins.start, axis=1)
    n = np.stack([present, present + x[:, layout.missing]])  # [2, blocks, F]
    of = np.where(layout.present, n[0][:, layout.cells.of], n[1][:, layout.cells.of])
    return Window(
        x.sum(axis=0),
        np.einsum("bc,bc->c", x, x),
        np.einsum("bc,bc->c", x, of),
        np.einsum("bc,bc->c", running, running),
        n.sum(axis=1),
        np.einsum("kbf,kbf->kf", n, n),
        int(np.count_nonzero(n[1].any(axis=1))),
        None if fine is None else fine.astype(np.float64),
        None if fine_sums is None else fine_sums.astype(np.float64),
    )


def load(layout: Layout, data: bytes) -> Window:
    """A dumped window. ValueError when it is not one of this layout."""
    cells, bins, features, fines = _sizes(layout)
    if len(data) < _HEAD.size:
        raise ValueError(f"{len(data)} bytes are no window")
    tag, digest, blocks, has_fine = _HEAD.unpack_from(data)
    if tag != b"pwd1" or digest != layout.digest.encode():
        raise ValueError("not a window of this layout")
    sizes = [cells, cells, cells, bins, 2 * features, 2 * features] + [fines, fines] * has_fine
    length = 8 * sum(sizes)
    inflate = zlib.decompressobj()
    try:
        body = inflate.decompress(data[_HEAD.size :], length + 1)
    except zlib.error as error:
        raise ValueError(f"not a window: {error}") from None
    if len(body) != length or not inflate.eof or inflate.unused_data:
        raise ValueError("a window that is cut off, or goes on")
    planes = np.frombuffer(body, np.uint8).reshape(8, -1)
    whole = np.ascontiguousarray(planes.T).view("<f8").ravel().astype(np.float64)
    counts, squares, cross, running, n, n2, *rest = np.split(whole, np.cumsum(sizes[:-1]))
    fine, sums = rest if has_fine else (None, None)
    for part in (counts, squares, cross, running, n, n2, *rest[:1]):
        if not (part >= 0).all() or np.isinf(part).any():
            raise ValueError("a window has counts, and nothing else")
    return Window(
        counts, squares, cross, running, n.reshape(2, -1), n2.reshape(2, -1), blocks, fine, sums
    )


def _sizes(layout: Layout) -> tuple[int, int, int, int]:
    """Cells, bins, features and fine bins."""
    return len(layout.cells.of), len(layout.bins.of), len(layout.features), len(layout.fine.of)
