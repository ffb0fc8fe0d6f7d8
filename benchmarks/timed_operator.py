"""The operator, which writes down how long each of its reconciles took.

    python -m benchmarks.timed_operator FILE

One line a reconcile: kind, seconds, how many objects were waiting then. Else it is `pawl operator`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from pawl import jsonlog
from pawl.control import loop
from pawl.control.operator import run
from pawl.control.settings import from_environment


def main(path: Path) -> None:
    out = path.open("w", buffering=1 << 16)
    plain = loop.Loop._finish

    async def timed(self: loop.Loop, begun: loop._Pass) -> None:
        await plain(self, begun)
        waiting = len(self._queue)
        out.write(f"{time.time():.3f} {begun.key.kind} {begun.seconds:.6f} {waiting}\n")

    loop.Loop._finish = timed  # type: ignore[method-assign]
    jsonlog.configure(sys.stderr, "WARNING")
    try:
        asyncio.run(run(from_environment()))
    finally:
        out.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
