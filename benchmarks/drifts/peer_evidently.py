"""Evidently: python peer_evidently.py FOLDER -> one line of JSON (see `speed`).

`seconds` are of its preset with PSI, `bare` of a report of nothing but each column's value.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from evidently import Report
from evidently.metrics import ValueDrift
from evidently.presets import DataDriftPreset


def peak() -> float:
    """The most memory of this process, in MB (getrusage would tell that of its parent's fork)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


folder = Path(sys.argv[1])
frames = []
for name in ("reference", "current"):
    table = np.load(folder / f"{name}.npy")
    frames.append(pd.DataFrame(table, columns=[f"f{i}" for i in range(table.shape[1])]))
reference, current = frames


def psi(columns: list[str], new: pd.DataFrame, old: pd.DataFrame) -> list[float]:
    report = Report([ValueDrift(column=column, method="psi") for column in columns])
    return [float(metric["value"]) for metric in report.run(new, old).dict()["metrics"]]


def preset(new: pd.DataFrame, old: pd.DataFrame) -> float:
    begun = time.process_time()
    Report([DataDriftPreset(method="psi")]).run(new, old)
    return time.process_time() - begun


preset(current[:1000], reference[:1000])  # what is loaded late is loaded now
begun = time.process_time()
psi([str(name) for name in reference], current, reference)
bare = time.process_time() - begun
seconds = preset(current, reference)
megabytes = peak()

# the same bins: their labels as categories
edges = np.load(folder / "edges.npy")
labels = [
    pd.DataFrame(
        {
            f"f{i}": [f"bin {at}" for at in np.searchsorted(row, frame[f"f{i}"])]
            for i, row in enumerate(edges)
        }
    )
    for frame in (current, reference)
]
same = psi([str(name) for name in labels[0]], *labels)
print(json.dumps({"seconds": seconds, "megabytes": megabytes, "bare": bare, "psi": same}))
