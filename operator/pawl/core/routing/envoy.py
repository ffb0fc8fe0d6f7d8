"""Envoy's configuration for a route (Envoy v3 API).

Static bootstrap: the public listener and the state listener. Dynamic, from files that the kubelet
swaps: clusters (`cds.yaml`) and routes (`rds.yaml`). The admin interface is a socket in the pod;
the state listener passes four of its read-only pages on. `/stats` tells by `version_text` which
revision of each file is loaded, `/clusters` which hosts are healthy.
`validate_clusters` stays off (docs/decisions/0002-revisions-from-the-router.md).
"""

from __future__ import annotations

from typing import Any

from pawl.constants import ROUTER_PORT, ROUTER_STATE_PORT
from pawl.core.routing.route import Backend, Route

CONFIG_DIR = "/pawl/envoy"
ROUTES = "models"
_STATE_PAGES = ("/ready", "/clusters", "/stats", "/stats/prometheus")
_ADMIN = "admin"
_ADMIN_SOCKET = "admin.sock"  # relative to the working directory: such a path may have 107 bytes
_TYPE = "type.googleapis.com/envoy"
_HCM = f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_BUFFER = 1024 * 1024  # a larger body streams, and is not retried


def cluster_name(version: int) -> str:
    """Envoy's name for a version."""
    return f"v{version}"


def bootstrap() -> dict[str, Any]:
    """The static part; `$(BIND_ADDRESS)` is expanded by the kubelet."""
    return {
        "node": {"id": "router", "cluster": "pawl"},
        "admin": {"address": {"pipe": {"path": _ADMIN_SOCKET, "mode": 0o600}}},
        "dynamic_resources": {"cds_config": _file("cds.yaml")},
        "static_resources": {
            "listeners": [
                _listener("http", ROUTER_PORT, _public()),
                _listener("state", ROUTER_STATE_PORT, {"route_config": _state_routes()}),
            ],
            "clusters": [
                {
                    "name": _ADMIN,
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "load_assignment": _assignment(_ADMIN, {"pipe": {"path": _ADMIN_SOCKET}}),
                }
            ],
        },
    }


def clusters(route: Route) -> dict[str, Any]:
    """cds.yaml: one cluster a backend, also for those that no route names yet, to warm them."""
    return {
        "version_info": route.clusters_revision,
        "resources": [_cluster(route.model, backend) for backend in route.backends],
    }


def routes(route: Route) -> dict[str, Any]:
    """rds.yaml."""
    return {"version_info": route.routes_revision, "resources": [_route_configuration(route)]}


def _route_configuration(route: Route) -> dict[str, Any]:
    # A request that names a version gets that version.
    table = [
        {
            "match": {
                "safe_regex": {
                    "regex": f"/v2/models/{route.model}/versions/{backend.version}(/.*)?"
                }
            },
            "route": _to(route, {"cluster": cluster_name(backend.version)}),
        }
        for backend in route.routed
    ]
    if route.routed:
        weights = [
            {"name": cluster_name(backend.version), "weight": backend.weight}
            for backend in route.routed
        ]
        action = _to(route, {"weighted_clusters": {"clusters": weights}})
        table.append({"match": {"prefix": "/v2"}, "route": action})
    return {
        "@type": f"{_TYPE}.config.route.v3.RouteConfiguration",
        "name": ROUTES,
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": table}],
    }


def _to(route: Route, action: dict[str, Any]) -> dict[str, Any]:
    return {**action, "timeout": f"{route.timeout_seconds}s", "retry_policy": _retries()}


def _state_routes() -> dict[str, Any]:
    get = [{"name": ":method", "string_match": {"exact": "GET"}}]
    table = [
        {"match": {"path": page, "headers": get}, "route": {"cluster": _ADMIN, "timeout": "5s"}}
        for page in _STATE_PAGES
    ]
    return {"virtual_hosts": [{"name": "state", "domains": ["*"], "routes": table}]}


def _cluster(model: str, backend: Backend) -> dict[str, Any]:
    name = cluster_name(backend.version)
    return {
        "@type": f"{_TYPE}.config.cluster.v3.Cluster",
        "name": name,
        "cluster_type": {
            "name": "envoy.clusters.dns",
            "typed_config": {
                "@type": f"{_TYPE}.extensions.clusters.dns.v3.DnsCluster",
                "dns_refresh_rate": "1s",
                "dns_lookup_family": "V4_ONLY",
            },
        },
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "load_assignment": _assignment(
            name, {"socket_address": {"address": backend.host, "port_value": backend.port}}
        ),
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
        "outlier_detection": {
            "consecutive_5xx": 20,
            "consecutive_gateway_failure": 5,
            "interval": "5s",
            "base_ejection_time": "5s",
            "max_ejection_percent": 50,
        },
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": 4096,
                    "max_pending_requests": 4096,
                    "max_requests": 4096,
                    "max_retries": 64,
                }
            ]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": "60s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def _retries() -> dict[str, Any]:
    """Inference is a pure function, so a request that no pod has begun to answer may be given to
    another pod. Answers of a model are never retried."""
    predicate = f"{_TYPE}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    return {
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "num_retries": 3,
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {"@type": predicate},
            }
        ],
        "host_selection_retry_max_attempts": "3",
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
    }


def _public() -> dict[str, Any]:
    """What the connection manager of the public listener adds."""
    return {
        "rds": {"route_config_name": ROUTES, "config_source": _file("rds.yaml")},
        "request_headers_timeout": "10s",
        "stream_idle_timeout": "300s",
        "common_http_protocol_options": {
            "idle_timeout": "300s",
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        # Without it clients could choose their request ids, and with them who is sampled.
        "use_remote_address": True,
        "always_set_request_id_in_response": True,
    }


def _listener(name: str, port: int, options: dict[str, Any]) -> dict[str, Any]:
    router = {"@type": f"{_TYPE}.extensions.filters.http.router.v3.Router"}
    manager = {
        "@type": _HCM,
        "stat_prefix": name,
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
        **options,
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    return {
        "name": name,
        "address": {"socket_address": {"address": "$(BIND_ADDRESS)", "port_value": port}},
        "per_connection_buffer_limit_bytes": _BUFFER,
        "filter_chains": [{"filters": filters}],
    }


def _file(name: str) -> dict[str, Any]:
    return {
        "path_config_source": {
            "path": f"{CONFIG_DIR}/{name}",
            "watched_directory": {"path": CONFIG_DIR},
        },
        "resource_api_version": "V3",
    }


def _assignment(name: str, address: dict[str, Any]) -> dict[str, Any]:
    endpoint = {"lb_endpoints": [{"endpoint": {"address": address}}]}
    return {"cluster_name": name, "endpoints": [endpoint]}
