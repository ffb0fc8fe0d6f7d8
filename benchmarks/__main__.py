"""`python -m benchmarks [NAME...]`: runs the benchmarks one after the other, each a process, and
repeats their RATIO lines at the end. The exit code says whether all of them are ok."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = (
    "decisions",
    "drift",
    "embedded_cluster",
    "many_rollouts",
    "memory",
    "monitor",
    "road",
    "rollback",
    "router",
    "scale",
    "search",
    "serving",
    "watch",
)


def main(names: list[str]) -> int:
    """Runs the named ones, or all."""
    ratios: list[str] = []
    failed = False
    for name in names or NAMES:
        print(f"\n=== {name}", flush=True)
        process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{name}"],
            cwd=FOLDER.parent,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if line.startswith("RATIO "):
                ratios.append(line.rstrip())
        failed |= process.wait() != 0
    print("\n=== all")
    print("\n".join(ratios))
    return 1 if failed or not ratios or any(not r.endswith(" ok") for r in ratios) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
