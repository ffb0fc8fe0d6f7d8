"""Spans of infer requests, for callers that trace.

A request that brings a W3C traceparent (the router passes it on) gets a span that is a child of the
caller's, if that one is sampled; who does not trace costs nothing.
https://www.w3.org/TR/trace-context
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, time_ns
from typing import TYPE_CHECKING

from pawl.serving.http.exchange import Exchange

if TYPE_CHECKING:  # what is not used is not loaded
    from opentelemetry.trace import Tracer


def of_infer(tracer: Tracer, model: str, version: str) -> Callable[[Exchange], None]:
    """To be called with each infer request when its answer is written."""
    from opentelemetry import trace  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
        TraceContextTextMapPropagator,
    )

    propagator = TraceContextTextMapPropagator()
    same = {"pawl.model": model, "pawl.version": version}

    def told(exchange: Exchange) -> None:
        if b"traceparent" not in exchange.headers:
            return
        carrier = {
            name: exchange.headers[name.encode()].decode("latin-1")
            for name in ("traceparent", "tracestate")
            if name.encode() in exchange.headers
        }
        context = propagator.extract(carrier)
        if not trace.get_current_span(context).get_span_context().trace_flags.sampled:
            return  # or what came is no traceparent
        end = time_ns()
        begun = end - int((perf_counter() - exchange.started) * 1e9)
        span = tracer.start_span(
            "infer", context, trace.SpanKind.SERVER, {**same}, start_time=begun
        )
        span.set_attribute("http.response.status_code", exchange.status)
        if exchange.status >= 500:
            span.set_status(trace.StatusCode.ERROR)
        span.end(end)

    return told
