"""frouros: python peer_frouros.py FOLDER -> one line of JSON (see `speed`). Bare NumPy, with ten
bins of equal width; it bins the reference again at every comparison."""

import json
import sys
import time
from pathlib import Path

import numpy as np
from frouros.detectors.data_drift.batch import PSI


def peak() -> float:
    """The most memory of this process, in MB (getrusage would tell that of its parent's fork)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


folder = Path(sys.argv[1])
reference, current = (np.load(folder / f"{name}.npy") for name in ("reference", "current"))


def psi(old: np.ndarray, new: np.ndarray) -> float:
    detector = PSI(num_bins=10)
    detector.fit(X=old)
    return float(detector.compare(X=new)[0].distance)


psi(reference[:1000, 0], current[:1000, 0])
begun = time.process_time()
for column in range(reference.shape[1]):
    psi(reference[:, column], current[:, column])
seconds = time.process_time() - begun
megabytes = peak()
print(json.dumps({"seconds": seconds, "megabytes": megabytes}))
