"""cds.yaml: where the pods of each version are.

A version has two clusters, for requests by weight and for others, and two more as a shadow. All of
them are there before a route names the version, to warm them.
"""

from __future__ import annotations

from typing import Any

from pawl.core.routing.envoy import _names as n
from pawl.core.routing.route import Backend, Route

_LIMITS = {
    "max_connections": 4096,
    "max_pending_requests": 4096,
    "max_requests": 4096,
    "max_retries": 64,
}
#: A shadow that hangs holds that many copies until they time out, and with them, if it does not
#: even read, their bodies (SMALL and LARGE bytes at most): 20 MB in all. What is more is not sent.
_SHADOW_LIMITS = {
    "max_connections": 128,
    "max_pending_requests": 8,
    "max_requests": 136,
    "max_retries": 0,
}
_LARGE_SHADOW_LIMITS = {
    "max_connections": 6,
    "max_pending_requests": 3,
    "max_requests": 9,
    "max_retries": 0,
}
#: Twice the largest copy: a buffer that is full would make the users wait for the shadow.
_SHADOW_BUFFER = 2 * n.LARGE


def clusters(route: Route) -> dict[str, Any]:
    """The file."""
    resources: list[dict[str, Any]] = []
    for backend in route.backends:
        resources += [_by_weight(route.model, backend), _direct(route.model, backend)]
        if route.shadow is not None and route.shadow.version == backend.version:
            small, large = n.shadow(backend.version), n.large_shadow(backend.version)
            resources.append(_shadow(small, route.model, backend, _SHADOW_LIMITS))
            resources.append(_shadow(large, route.model, backend, _LARGE_SHADOW_LIMITS))
    return {"version_info": route.clusters_revision, "resources": resources}


def _by_weight(model: str, backend: Backend) -> dict[str, Any]:
    return {
        **_cluster(n.by_weight(backend.version), model, backend),
        "lb_policy": "LEAST_REQUEST",
        "outlier_detection": _outliers(),
        "circuit_breakers": {"thresholds": [_LIMITS]},
    }


def _direct(model: str, backend: Backend) -> dict[str, Any]:
    return {
        **_cluster(n.direct(backend.version), model, backend),
        "lb_policy": "MAGLEV",  # without a hash: at random
        "maglev_lb_config": {"table_size": 4099},
        "outlier_detection": _outliers(),
        "circuit_breakers": {"thresholds": [_LIMITS]},
    }


def _shadow(name: str, model: str, backend: Backend, limits: dict[str, int]) -> dict[str, Any]:
    return {
        **_cluster(name, model, backend),
        "lb_policy": "LEAST_REQUEST",
        # None is tried that is known to be dead.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {"thresholds": [limits]},
        "per_connection_buffer_limit_bytes": _SHADOW_BUFFER,
    }


def _cluster(name: str, model: str, backend: Backend) -> dict[str, Any]:
    address = {"socket_address": {"address": backend.host, "port_value": backend.port}}
    return {
        "@type": f"{n.TYPE}.config.cluster.v3.Cluster",
        "name": name,
        "cluster_type": {
            "name": "envoy.clusters.dns",
            "typed_config": {
                "@type": f"{n.TYPE}.extensions.clusters.dns.v3.DnsCluster",
                "dns_refresh_rate": "1s",
                "dns_lookup_family": "V4_ONLY",
            },
        },
        "connect_timeout": "1s",
        "load_assignment": n.assignment(name, address),
        # A pod that reuses the address of another version's pod must not get this one's requests.
        "health_checks": [
            {
                "timeout": "1s",
                "interval": "1s",
                "no_traffic_interval": "1s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "http_health_check": {
                    "path": f"/v2/models/{model}/versions/{backend.version}/ready"
                },
            }
        ],
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{n.TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": "60s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def _outliers() -> dict[str, Any]:
    return {
        "consecutive_5xx": 20,
        "consecutive_gateway_failure": 5,
        "interval": "5s",
        "base_ejection_time": "5s",
        "max_ejection_percent": 50,
    }
