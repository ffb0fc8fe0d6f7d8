"""What the operator counts of its own work, for Prometheus (docs/metrics.md).

Every label is from a closed list: kinds, verbs, resources, HTTP codes, reasons, verdicts. No name
of an object is among them, so the number of series is bounded and nothing is left of an object
that is gone; what is told by object is read from the caches at each scrape (`control.states`).
"""

from __future__ import annotations

import sys
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from pawl import __version__

# Two series for every one, and nobody reads the second.
disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

#: Why a reconcile failed. Conflict: somebody wrote at the same time. Defect: an error of Pawl's.
Failure = Literal["Conflict", "ApiServer", "Store", "Network", "Refused", "Defect"]

#: Seconds, from a plan that changes nothing to a store that does not answer.
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"pawl_operator_{name}", text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, *labels: str) -> Histogram:
    full = f"pawl_operator_{name}_seconds"
    return Histogram(full, text, labels, buckets=_BOUNDS, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"pawl_operator_{name}", text, labels, registry=REGISTRY)


LEADER = _gauge("leader", "1 when this process acts; 0 while it lists, or stands by.")
_gauge("build_info", "Always 1.", "version", "python").labels(
    __version__, ".".join(map(str, sys.version_info[:3]))
).set(1)

RECONCILES = _histogram("reconcile_duration", "Observing, planning and carrying out.", "kind")
FAILURES = _counter("reconcile_errors_total", "Reconciles that failed.", "kind", "reason")
QUEUE_WAITS = _histogram("queue_wait", "From when a key was due until a worker took it.")
RETRIES = _counter("queue_retries_total", "Keys that were put back because they failed.", "kind")

API_CALLS = _counter(
    "api_requests_total", "Answers of the API server; code is error without one.",
    "verb", "resource", "code",
)  # fmt: skip
API_SECONDS = _histogram("api_request_duration", "Until the answer begins.", "verb", "resource")
WATCHES = _counter(
    "watch_restarts_total", "Lists after the first; reason is Expired or Failed.",
    "resource", "reason",
)  # fmt: skip

STORE_SECONDS = _histogram("store_duration", "Calls of the artifact store.", "operation")
STORE_ERRORS = _counter("store_errors_total", "Calls that it did not answer.", "operation")
POLLS = _counter("polls_total", "Pages asked of pods, by what became of them.", "page", "result")
NOTIFICATIONS = _counter("notifications_total", "To webhooks, by what became of them.", "result")

EVENTS_TOLD = _counter("events_total", "Kubernetes events told.", "kind", "reason")
DECISIONS = _counter("decisions_total", "Versions that became stable or were taken back.", "reason")
GATES = _counter("gate_verdicts_total", "Gates of rollouts that were decided.", "stage", "verdict")
WINDOWS = _counter("drift_windows_total", "Windows that were decided.", "verdict")
RETRAINS = _counter("retrains_total", "Retrains that came to an outcome.", "outcome")
RUNS = _counter("runs_total", "Runs of TrainingJobs that ended.", "phase")
