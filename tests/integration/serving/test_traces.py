"""A server that is told where to sends the spans of requests that are traced."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "unit"))

from collector import collecting

Start = Callable[..., Any]
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize("processes", [pytest.param("1", id="one"), pytest.param("2", id="two")])
def test_the_span_of_a_traced_request_is_sent_and_no_other(start: Start, processes: str) -> None:
    with collecting() as collector:
        server = start(PAWL_PROCESSES=processes, **collector.env)
        server.infer(1.0, -1.0)
        server.infer(1.0, -1.0, headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
        assert server.stop() == 0
        (span,) = collector.spans
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, CALLER)
    assert span.name == "infer"


def test_a_collector_that_is_not_there_delays_nothing(start: Start, free_port: Any) -> None:
    server = start(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}", NO_PROXY="*")
    answer = server.infer(1.0, -1.0, headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
    assert answer.status == 200
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < 10
