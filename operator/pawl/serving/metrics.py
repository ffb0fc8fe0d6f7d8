"""/metrics: the counters as Prometheus text (exposition format 0.0.4).

The number of series is fixed at the start: operations, codes, buckets and the cells of a baseline
are closed lists, and nothing that a client sends becomes a label.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path

from pawl.serving import counters as c
from pawl.serving.counters import Counters, Histogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SIMPLE = (
    (c.IN_FLIGHT, "gauge", "in_flight_requests", "Requests that are being answered."),
    (c.WAITING, "gauge", "waiting_requests", "Requests that wait for the model."),
    (c.CONNECTIONS, "gauge", "connections", "Open connections."),
    (c.ROWS, "counter", "rows_total", "Rows that were scored."),
    (c.NON_FINITE, "counter", "non_finite_predictions_total", "Predictions sent as null."),
    (c.ENGINE_SECONDS, "counter", "engine_seconds_total", "Time in which the model computed."),
)


def exposition(counters: Counters, info: dict[str, str], more: Iterable[str] = ()) -> bytes:
    """Everything; `info` are the labels of the model that is served, `more` are lines."""
    return "".join(line + "\n" for line in chain(_lines(counters, info), more)).encode()


def _lines(counters: Counters, info: dict[str, str]) -> Iterator[str]:
    labels = ",".join(f'{name}="{escaped(value)}"' for name, value in info.items())
    yield from head("pawl_server_model_info", "gauge", "The model that is served.")
    yield f"pawl_server_model_info{{{labels}}} 1"
    yield from head("pawl_server_ready", "gauge", "1 when every process can answer.")
    yield f"pawl_server_ready {int(counters.ready)}"
    yield from head("pawl_server_model_load_seconds", "gauge", "Fetching, verifying, loading.")
    yield f"pawl_server_model_load_seconds {_number(max(counters.each(c.LOAD_SECONDS)))}"
    yield from head("pawl_server_requests_total", "counter", "Answers, by operation and code.")
    for operation in c.OPERATIONS:
        for code in c.CODES:
            count = counters.total(c.request_slot(operation, code))
            if count or (operation, code) == ("infer", 200):
                yield (
                    f'pawl_server_requests_total{{operation="{operation}",code="{code}"}} '
                    f"{_number(count)}"
                )
    for slot, kind, name, text in _SIMPLE:
        yield from head(f"pawl_server_{name}", kind, text)
        yield f"pawl_server_{name} {_number(counters.total(slot))}"
    yield from _histogram(
        counters,
        c.LATENCY,
        "pawl_server_infer_duration_seconds",
        "From the last byte of an infer request to its answer.",
    )
    yield from _histogram(
        counters, c.BATCH, "pawl_server_batch_rows", "Rows that were scored together."
    )
    yield from _process(counters)


def _histogram(counters: Counters, histogram: Histogram, name: str, text: str) -> Iterator[str]:
    yield from head(name, "histogram", text)
    bounds = [f"{bound:g}" for bound in histogram.bounds] + ["+Inf"]
    total = 0.0
    for index, bound in enumerate(bounds):
        total += counters.total(histogram.at + index)
        yield f'{name}_bucket{{le="{bound}"}} {_number(total)}'
    yield f"{name}_sum {_number(counters.total(histogram.sum_at))}"
    yield f"{name}_count {_number(total)}"


def _process(counters: Counters) -> Iterator[str]:
    memory = seconds = 0.0
    for pid in counters.each(c.PID):
        if pid:
            resident, cpu = _usage(int(pid))
            memory += resident
            seconds += cpu
    yield from head("process_resident_memory_bytes", "gauge", "Of all processes of the server.")
    yield f"process_resident_memory_bytes {_number(memory)}"
    yield from head("process_cpu_seconds_total", "counter", "Of all processes of the server.")
    yield f"process_cpu_seconds_total {_number(seconds)}"


def _usage(pid: int) -> tuple[float, float]:
    """Resident bytes and CPU seconds of a process, (0, 0) when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, IndexError):
        return 0.0, 0.0
    ticks = int(fields[11]) + int(fields[12])  # utime, stime: proc(5) counts from the state on
    return float(pages * _page_size()), ticks / os.sysconf("SC_CLK_TCK")


@cache
def _page_size() -> int:
    return os.sysconf("SC_PAGE_SIZE")


def head(name: str, kind: str, text: str) -> tuple[str, str]:
    """What the series of a name begin with."""
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def escaped(value: str) -> str:
    """The value of a label."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
