"""Traces: nothing without being asked; else spans with their parents, where OTEL_* says."""

from __future__ import annotations

import builtins
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pawl import jsonlog, tracing
from pawl.control.kinds import DEPLOYMENTS
from pawl.control.kube import Kube
from pawl.control.loop import Loop
from pawl.control.queue import Key, Queue
from pawl.core.plan import Plan

sys.path.insert(0, str(Path(__file__).parent))

from collector import collecting

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    with tracing.provided_by(provider):
        yield memory


@pytest.mark.parametrize(
    ("env", "asked"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({ENDPOINT: "http://c:4318"}, True, id="endpoint"),
        pytest.param({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/v1"}, True, id="of traces"),
        pytest.param({"OTEL_TRACES_EXPORTER": "otlp"}, True, id="exporter"),
        pytest.param({ENDPOINT: "x", "OTEL_TRACES_EXPORTER": "none"}, False, id="none"),
        pytest.param({ENDPOINT: "x", "OTEL_SDK_DISABLED": "true"}, False, id="disabled"),
        pytest.param({ENDPOINT: ""}, False, id="empty"),
    ],
)
def test_when_traces_are_asked_for(env: dict[str, str], asked: bool):
    assert tracing.asked(env) == asked


def test_without_being_asked_nothing_is_loaded():
    code = (
        "import sys; from pawl import tracing\n"
        "import pawl.jsonlog, pawl.control.kube, pawl.serving.process\n"
        "with tracing.exporting('x', {}), tracing.span('y'): pass\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_without_the_packages_it_is_said_and_work_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    real = builtins.__import__

    def missing(name: str, *more: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with tracing.exporting("x", {ENDPOINT: "http://c:4318"}) as tracer:
        assert tracer is None
        with tracing.span("work"):
            pass
    assert "pip install pawl-operator[traces]" in caplog.text


class Known:
    """One object; whoever carries out asks the API server once."""

    def __init__(self, kube: Kube, error: Exception | None = None) -> None:
        self.kube, self.error = kube, error

    def get(self, *_: Any) -> Any:
        return {"metadata": {"name": "churn", "namespace": "ml"}}

    async def act(self, *_: Any) -> None:
        await self.kube.get(DEPLOYMENTS, "ml", "churn")
        if self.error is not None:
            raise self.error

    async def tell(self, *_: Any) -> None:
        pass


class Api:
    status = 200

    async def param_serialize(self, **asked: Any) -> tuple[Any, ...]:
        return asked["method"], asked["resource_path"], {}, None, None

    async def call_api(self, *_: Any, **__: Any) -> Any:
        return self

    @property
    def response(self) -> Any:
        return self

    async def read(self) -> bytes:
        return b"{}"


async def reconcile(error: Exception | None = None) -> None:
    known, unused = cast(Any, Known(Kube(cast(Any, Api())), error)), cast(Any, None)
    queue = Queue()
    loop = Loop(queue, known, unused, known, unused)

    async def plan(_: Any) -> Plan:
        return Plan()

    loop._planners["Deployment"] = plan
    queue.add(Key("Deployment", "ml", "churn"))
    await loop.turn()


def named(memory: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in memory.get_finished_spans()}


async def test_calls_of_the_api_server_are_children_of_their_reconcile(
    spans: InMemorySpanExporter,
):
    await reconcile()
    found = named(spans)
    parent, child = found["reconcile"], found["get modeldeployments"]
    assert dict(parent.attributes or {}) == {"object": "Deployment/ml/churn"}
    assert child.parent is not None
    assert child.parent.span_id == parent.get_span_context().span_id
    assert str((child.attributes or {})["url.path"]).endswith("/modeldeployments/churn")


async def test_what_goes_wrong_is_in_the_span_and_the_log_has_its_trace(
    spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
):
    caplog.handler.setFormatter(jsonlog.JsonFormatter())
    with tracing.span("outer"):
        await reconcile(ZeroDivisionError("x"))
    found = named(spans)
    assert [event.name for event in found["reconcile"].events] == ["exception"]
    line = json.loads(caplog.text.splitlines()[0])
    assert line["trace_id"] == f"{found['outer'].get_span_context().trace_id:032x}"
    assert line["object"] == "Deployment/ml/churn"


def test_outside_of_a_span_a_line_has_no_trace(spans: InMemorySpanExporter):
    record = logging.makeLogRecord({"msg": "m"})
    assert "trace_id" not in json.loads(jsonlog.JsonFormatter().format(record))


@pytest.mark.parametrize(
    ("env", "service"),
    [
        pytest.param({}, "pawl-operator", id="default"),
        pytest.param({"OTEL_SERVICE_NAME": "mine"}, "mine", id="as told"),
    ],
)
def test_spans_arrive_before_the_process_ends(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], service: str
):
    with collecting() as collector:
        for name, value in (collector.env | env).items():
            monkeypatch.setenv(name, value)
        with tracing.exporting("pawl-operator"), tracing.span("work", object="x"):
            pass
        ((path, request),) = collector.taken
    told = {
        entry.key: entry.value.string_value
        for entry in request.resource_spans[0].resource.attributes
    }
    assert (path, told["service.name"]) == ("/v1/traces", service)
    assert [span.name for span in collector.spans] == ["work"]
