"""NannyML: python peer_nannyml.py FOLDER -> one line of JSON (see `speed`).

It has no PSI; its Jensen-Shannon distance counts the same way. `seconds` are of fitting the
reference and calculating, `calculate` of the latter.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml as nml
import numpy as np
import pandas as pd


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
calculator = nml.UnivariateDriftCalculator(
    column_names=list(reference), continuous_methods=["jensen_shannon"], chunk_number=1
)
begun = time.process_time()
calculator.fit(reference)
fitted = time.process_time() - begun
calculator.calculate(current[:1000])  # what is loaded late is loaded now
begun = time.process_time()
calculator.calculate(current)
calculate = time.process_time() - begun
megabytes = peak()
told = {"seconds": fitted + calculate, "megabytes": megabytes, "calculate": calculate}
print(json.dumps(told))
