"""Optional traces: OpenTelemetry's spans, switched on by its own variables.

With OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_TRACES_EXPORTER=otlp,
and the packages of the extra `traces`, spans are sent by OTLP over HTTP; the other OTEL_* variables
mean what they always do. Otherwise nothing is imported, and a span costs a function call.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what is not used is not loaded
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

log = logging.getLogger(__name__)
_SWITCHES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_tracer: Tracer | None = None


@contextmanager
def exporting(service: str, env: Mapping[str, str] = os.environ) -> Iterator[Tracer | None]:
    """Spans of this process are sent until the block is left, if the environment asks for it. The
    tracer is for what `span` does not fit; None without traces."""
    provider = _provider(service) if asked(env) else None
    if provider is None:
        yield None
        return
    with provided_by(provider) as tracer:
        try:
            yield tracer
        finally:
            provider.shutdown()


def asked(env: Mapping[str, str]) -> bool:
    """Whether the environment asks for traces."""
    exporter = env.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter == "none" or env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    return exporter == "otlp" or any(env.get(name) for name in _SWITCHES)


def _provider(service: str) -> TracerProvider | None:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ModuleNotFoundError as error:
        log.warning("no traces: %s is not installed; pip install pawl-operator[traces]", error.name)
        return None
    given = Resource.create()
    named = given.attributes.get(SERVICE_NAME)
    if named is None or str(named).startswith("unknown_service"):
        given = given.merge(Resource({SERVICE_NAME: service}))
    provider = TracerProvider(resource=given)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


@contextmanager
def provided_by(provider: TracerProvider) -> Iterator[Tracer]:
    """Spans are this provider's in the block."""
    global _tracer  # noqa: PLW0603 - one for the process, as its log
    _tracer = provider.get_tracer("pawl")
    try:
        yield _tracer
    finally:
        _tracer = None


def span(name: str, **attributes: str) -> AbstractContextManager[Any]:
    """A span around the block, a child of the one that the block is in; an exception that leaves it
    is recorded."""
    if _tracer is None:
        return nullcontext()
    return _tracer.start_as_current_span(name, attributes=attributes)


def trace_id() -> str:
    """Of the span that this is in, as logs tell it (32 hexadecimal digits); else nothing."""
    if _tracer is None:
        return ""
    from opentelemetry import trace  # noqa: PLC0415 - loaded already

    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""
