"""The operator, which writes down how long each of its reconciles took.

    python -m benchmarks.timed_operator FILE

One line a reconcile: kind, seconds, how many objects were waiting then. Else it is `pawl operator`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from pawl.control import loop
from pawl.control.logs import set_up
from pawl.control.operator import run
from pawl.control.queue import Key
from pawl.control.settings import from_environment


def main(path: Path) -> None:
    out = path.open("w", buffering=1 << 16)
    plain = loop.Loop._reconcile

    async def timed(self: loop.Loop, key: Key) -> None:
        waiting, begun = len(self._queue), time.perf_counter()
        await plain(self, key)
        out.write(f"{time.time():.3f} {key.kind} {time.perf_counter() - begun:.6f} {waiting}\n")

    loop.Loop._reconcile = timed  # type: ignore[method-assign]
    set_up("WARNING")
    try:
        asyncio.run(run(from_environment()))
    finally:
        out.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
