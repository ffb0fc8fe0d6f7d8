"""What each process exports, as its own code says: metric -> labels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from pawl.artifacts.records import Baseline, CategoryBaseline, Signature
from pawl.control import metrics, states
from pawl.control.exposition import render
from pawl.core.manifests.alerts import TARGET
from pawl.serving.capture.exposition import exposition as captured
from pawl.serving.counters import Counters
from pawl.serving.metrics import exposition
from pawl.serving.monitor.cells import layout_of
from pawl.serving.monitor.exposition import lines

ROOT = Path(__file__).parents[3]
#: What the scrape configurations add (docs/alerts.md).
POD = frozenset({"namespace", "pod", "job", "instance", "container", "endpoint"})
#: Of Envoy's statistics those that are used; tests/integration/routing holds them against Envoy.
ROUTER = {
    "envoy_cluster_upstream_rq_xx": ("envoy_cluster_name", "envoy_response_code_class"),
    "envoy_cluster_upstream_rq_completed": ("envoy_cluster_name",),
    "envoy_http_downstream_rq_xx": ("envoy_http_conn_manager_prefix", "envoy_response_code_class"),
}
_PLAN = CategoryBaseline(name="plan", categories=("a",), counts=(1,), other=0, missing=0)
_BASELINE = Baseline(
    rows=1,
    categorical=(_PLAN,),
    prediction_rows=1,
    prediction=_PLAN.model_copy(update={"name": "prediction"}),
)
_SIGNATURE = Signature(
    inputs=(), outputs=(), task="binary", categorical=("plan",), classes=("a", "b")
)


@dataclass(frozen=True)
class Exported:
    """`type` as in the TYPE line."""

    type: str
    labels: frozenset[str]


def operator_page() -> bytes:
    """GET /metrics of an operator that knows no object."""
    return render(states.Seen((0, 0, 0, 0), {"pods": 1}, {}))


def server_page() -> bytes:
    """GET /metrics of a server."""
    layout = layout_of(_SIGNATURE, _BASELINE, "category")
    more = [*lines(layout, np.zeros(layout.width, int)), *captured(Counters(), 0)]
    info = dict.fromkeys(("model", "version", "engine", "digest"), "x")
    return exposition(Counters(), info, more)


@cache
def operator() -> dict[str, Exported]:
    """What it counts, and the state of objects."""
    page = operator_page()
    counted = {
        each._name: frozenset(each._labelnames)
        for each in vars(metrics).values()
        if isinstance(each, MetricWrapperBase)
    }
    told = {
        f"pawl_{kind}_{name}": frozenset({"namespace", kind, *more})
        for kind, families in (
            ("deployment", states._DEPLOYMENT),
            ("training_job", states._TRAINING_JOB),
        )
        for name, (_, more) in families.items()
    }
    told["pawl_objects"] = frozenset({"namespace", "kind", "phase"})
    found = {}
    for family in text_string_to_metric_families(page.decode()):
        known = counted.get(family.name, told.get(family.name))
        found[_full(family)] = Exported(family.type, known if known is not None else _seen(family))
    return found


@cache
def server() -> dict[str, Exported]:
    """A server of a version with a baseline, that captures."""
    return {
        _full(family): Exported(family.type, _seen(family))
        for family in text_string_to_metric_families(server_page().decode())
    }


def samples() -> dict[str, frozenset[str]]:
    """All that PromQL may ask for: name of a sample -> labels it may have."""
    found: dict[str, frozenset[str]] = {"up": POD}
    for process, more in (
        (operator(), POD),
        (server(), POD | frozenset(TARGET)),
        ({name: Exported("counter", frozenset(labels)) for name, labels in ROUTER.items()},
         POD | frozenset(TARGET[:3])),
    ):  # fmt: skip
        for name, one in process.items():
            labels = one.labels | more | found.get(name, frozenset())
            if one.type == "histogram":
                found[f"{name}_bucket"] = labels | {"le"}
                found[f"{name}_sum"] = found[f"{name}_count"] = labels
            else:
                found[name] = labels
    return found


def documented(page: str, heading: str) -> dict[str, Exported]:
    """The table below a heading of docs/metrics.md."""
    (part,) = re.findall(rf"(?ms)^## {heading}\n(.*?)(?=^## |\Z)", page)
    rows = re.findall(r"(?m)^\| `(\w+)` \| (\w+) \|([^|]*)\|", part)
    return {
        name: Exported(type_, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, type_, labels in rows
    }


def _full(family: Metric) -> str:
    """The parser takes the end off the names of counters."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def _seen(family: Metric) -> frozenset[str]:
    names: Iterable[str] = {label for sample in family.samples for label in sample.labels}
    return frozenset(names) - {"le"}
