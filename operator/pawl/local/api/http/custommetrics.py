"""custom.metrics.k8s.io/v1beta2: metrics of pods, as an adapter in front of Prometheus tells them.

GET …/namespaces/NAMESPACE/pods/NAME/METRIC, or with `*` for NAME and a labelSelector. Source:
k8s.io/metrics custom_metrics/v1beta2 and custom-metrics-apiserver.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import unquote

from pawl.local.api import errors
from pawl.local.api.kinds.canonical import quantity
from pawl.local.api.registry import Registry

Obj = dict[str, Any]

GROUP, VERSION = "custom.metrics.k8s.io", "v1beta2"


class PodMetric(Protocol):
    """One metric of pods, and whoever measures it."""

    @property
    def name(self) -> str: ...

    def rates(self, pods: Iterable[Obj]) -> dict[str, float]:
        """Values by name, of the pods that have one."""
        ...


def answer(metric: PodMetric, registry: Registry, path: str, query: Mapping[str, str]) -> Obj:
    """The MetricValueList at a path below the group's. ApiError 400, 404."""
    parts = [unquote(part) for part in path.strip("/").split("/")][3:]
    if len(parts) != 5 or parts[0] != "namespaces":
        raise errors.no_such_path()
    _, namespace, resource, name, asked = parts
    if resource != "pods" or asked != metric.name:
        raise unknown(asked, resource)
    if query.get("metricLabelSelector"):
        raise errors.bad_request(f"{metric.name} has no labels to select by")
    if name == "*":
        pods = registry.list("pods", namespace, labels=query.get("labelSelector", ""))
    else:
        pods = [registry.get("pods", namespace, name)]
    rates = metric.rates(pods)
    if name != "*" and not rates:
        raise unknown(asked, resource, name)
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {
        "kind": "MetricValueList",
        "apiVersion": f"{GROUP}/{VERSION}",
        "metadata": {},
        "items": [_value(metric.name, namespace, pod, rate, now) for pod, rate in rates.items()],
    }


def _value(metric: str, namespace: str, pod: str, rate: float, now: str) -> Obj:
    described = {"kind": "Pod", "namespace": namespace, "name": pod, "apiVersion": "/v1"}
    return {
        "describedObject": described,
        "metric": {"name": metric, "selector": None},
        "timestamp": now,
        "value": quantity(f"{math.ceil(rate * 1000)}m"),
    }


def unknown(metric: str, resource: str, name: str = "") -> errors.ApiError:
    """404, in the words of custom-metrics-apiserver."""
    of = f"{resource} {name}" if name else resource
    return errors.ApiError(
        404, "NotFound", f"the server could not find the metric {metric} for {of}", {}
    )


def entry(metric: str) -> Obj:
    """The metric in discovery."""
    return {
        "name": f"pods/{metric}",
        "singularName": "",
        "namespaced": True,
        "kind": "MetricValueList",
        "verbs": ["get"],
    }
