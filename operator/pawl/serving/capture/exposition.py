"""What was captured, as Prometheus text."""

from __future__ import annotations

from collections.abc import Iterator

from pawl.serving import counters as c
from pawl.serving.counters import Counters
from pawl.serving.metrics import head

_ROWS = {"predictions": c.CAPTURED, "feedback": c.FED_BACK}
_DROPPED = {"queue": c.DROPPED_QUEUE, "spool": c.DROPPED_SPOOL, "error": c.DROPPED_ERROR}


def exposition(counters: Counters, waiting: int | None) -> Iterator[str]:
    """The lines; `waiting`: bytes in the spool, None when nothing is captured though it should."""
    yield from head("pawl_capture_active", "gauge", "0: the log says why nothing is captured.")
    yield f"pawl_capture_active {int(waiting is not None)}"
    yield from head("pawl_capture_rows_total", "counter", "Captured rows, given to the writer.")
    for kind, slot in _ROWS.items():
        yield f'pawl_capture_rows_total{{kind="{kind}"}} {counters.total(slot):.0f}'
    yield from head("pawl_capture_dropped_total", "counter", "Rows that found no room.")
    for reason, slot in _DROPPED.items():
        yield f'pawl_capture_dropped_total{{reason="{reason}"}} {counters.total(slot):.0f}'
    yield from head("pawl_capture_spool_bytes", "gauge", "What waits for the writer.")
    yield f"pawl_capture_spool_bytes {waiting or 0}"
