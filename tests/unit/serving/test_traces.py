"""Infer requests of callers that trace get a span below the caller's; others get none."""

from __future__ import annotations

from time import perf_counter
from typing import Any, cast

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pawl.serving.counters import Counters
from pawl.serving.http.exchange import Exchange
from pawl.serving.http.server import HttpLimits, HttpServer
from pawl.serving.traces import of_infer

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{CALLER}-01".encode()


def spans(headers: dict[bytes, bytes], *, operation: str = "infer", status: int = 200) -> Any:
    """What one answer of the server is told as."""
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    told = of_infer(provider.get_tracer("t"), "churn", "7")
    limits = HttpLimits(1, 1, 1.0, 1.0)
    server = HttpServer(lambda _: None, Counters(), limits, trace=told)
    exchange = Exchange(cast(Any, None))
    exchange.headers, exchange.operation, exchange.status = headers, operation, status
    exchange.started = perf_counter() - 0.25
    server.finished(exchange)
    return memory.get_finished_spans()


def test_a_span_is_a_child_of_the_callers_and_lasts_as_long_as_the_request():
    found: tuple[ReadableSpan, ...] = spans({b"traceparent": SAMPLED, b"tracestate": b"a=b"})
    (span,) = found
    assert f"{span.get_span_context().trace_id:032x}" == TRACE
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == CALLER
    assert span.get_span_context().trace_state.get("a") == "b"
    assert span.start_time is not None
    assert span.end_time is not None
    assert 0.25e9 <= span.end_time - span.start_time < 5e9
    assert dict(span.attributes or {}) == {
        "pawl.model": "churn",
        "pawl.version": "7",
        "http.response.status_code": 200,
    }


@pytest.mark.parametrize(
    ("status", "ok"),
    [pytest.param(400, True, id="the caller's"), pytest.param(500, False, id="ours")],
)
def test_what_is_an_error_of_the_server(status: int, ok: bool):
    (span,) = spans({b"traceparent": SAMPLED}, status=status)
    assert span.status.is_ok == ok


@pytest.mark.parametrize(
    ("headers", "operation"),
    [
        pytest.param({}, "infer", id="no trace"),
        pytest.param({b"traceparent": SAMPLED[:-1] + b"0"}, "infer", id="not sampled"),
        pytest.param({b"traceparent": b"\xff00-x-y-01"}, "infer", id="malformed"),
        pytest.param({b"traceparent": b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01"}, "infer",
                     id="invalid"),
        pytest.param({b"traceparent": SAMPLED}, "health", id="a probe"),
    ],
)  # fmt: skip
def test_who_does_not_trace_gets_no_span(headers: dict[bytes, bytes], operation: str):
    assert spans(headers, operation=operation) == ()
