"""Pawl: python -m benchmarks.drifts.ours FOLDER -> one line of JSON (see `speed`).

Rows are counted by the server's own code, as many at a time as it does; training made the
baseline.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from pawl.artifacts.records import Baseline, Signature
from pawl.serving.monitor.cells import layout_of
from pawl.serving.monitor.counting import Table
from pawl.serving.monitor.features import CAPACITY
from pawl.stats.drift import divergences
from pawl.stats.drift.decision import Rule, judge
from pawl.stats.drift.layout import Feature, Layout
from pawl.stats.drift.window import counted


def main(folder: Path) -> None:
    baseline = Baseline.model_validate_json((folder / "baseline.json").read_bytes())
    current = np.load(folder / "current.npy")
    names = tuple(feature.name for feature in baseline.numeric)
    cells = layout_of(Signature(inputs=(), outputs=(), numeric=names), baseline, None)
    layout = Layout.of(Feature(part.name, "numeric", part.reference) for part in cells.parts)
    table = Table(cells)
    rules = {name: (Rule(),) for name in names}
    table.count(current[:CAPACITY], ())
    begun = time.process_time()
    counts = np.zeros((1, cells.width), dtype=np.int64)
    for first in range(0, len(current), CAPACITY):
        counts += table.count(current[first : first + CAPACITY], ()).cells
    window = counted(layout, counts.astype(np.uint32))
    findings = judge(window, layout, rules, windows=1)
    seconds = time.process_time() - begun
    megabytes = peak()
    at = layout.bin_cells
    plain = divergences.psi(layout.bins, window.counts[at], layout.reference[at], added=0)
    told = {
        "seconds": seconds,
        "megabytes": megabytes,
        "psi": plain.tolist(),
        "judged": len(findings),
    }
    print(json.dumps(told))


def peak() -> float:
    """The most memory of this process, in MB (getrusage would tell that of its parent's fork)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]))
