"""The static part: listeners, and where the files are.

The admin interface is a socket in the pod; the state listener passes four of its read-only pages
on. `/stats` tells by `version_text` which revision of each file is loaded, `/clusters` which hosts
are healthy. `validate_clusters` stays off (docs/decisions/0002-revisions-from-the-router.md).
"""

from __future__ import annotations

from typing import Any

from pawl.constants import ROUTER_PORT, ROUTER_STATE_PORT
from pawl.core.routing.envoy import _names as n

CONFIG_DIR = "/pawl/envoy"
TLS_DIR = "/pawl/tls"
#: The same, seen from the working directory (/pawl/tmp). Files are not rewritten where pods are
#: plain processes whose volumes lie somewhere else, but beside each other as here.
_TLS_FROM_HERE = "../tls"
_CERTIFICATE = "server"
_STATE_PAGES = ("/ready", "/clusters", "/stats", "/stats/prometheus")
_ADMIN = "admin"
_ADMIN_SOCKET = "admin.sock"  # relative to the working directory: such a path may have 107 bytes
_HCM = f"{n.TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_MUTATION = f"{n.TYPE}.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
#: Of addresses that are trusted: an empty list would mean all private networks.
_NOBODY = {"address_prefix": "255.255.255.255", "prefix_len": 32}


def bootstrap(*, tls: bool = False) -> dict[str, Any]:
    """The configuration that Envoy is started with; `$(BIND_ADDRESS)` is expanded by the
    kubelet."""
    public = _listener("http", ROUTER_PORT, _public())
    if tls:
        public["filter_chains"][0]["transport_socket"] = _tls()
    return {
        "node": {"id": "router", "cluster": "pawl"},
        "admin": {"address": {"pipe": {"path": _ADMIN_SOCKET, "mode": 0o600}}},
        "dynamic_resources": {"cds_config": _file("cds.yaml")},
        "static_resources": {
            "listeners": [
                public,
                _listener("state", ROUTER_STATE_PORT, {"route_config": _state_routes()}),
            ],
            "clusters": [
                {
                    "name": _ADMIN,
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "load_assignment": n.assignment(_ADMIN, {"pipe": {"path": _ADMIN_SOCKET}}),
                }
            ],
        },
    }


def secrets() -> dict[str, Any]:
    """sds.yaml: the certificate and its key, which are watched: a renewed one is used at once."""
    certificate = {
        "certificate_chain": {"filename": f"{_TLS_FROM_HERE}/tls.crt"},
        "private_key": {"filename": f"{_TLS_FROM_HERE}/tls.key"},
        "watched_directory": {"path": _TLS_FROM_HERE},
    }
    secret = {
        "@type": f"{n.TYPE}.extensions.transport_sockets.tls.v3.Secret",
        "name": _CERTIFICATE,
        "tls_certificate": certificate,
    }
    return {"resources": [secret]}


def _tls() -> dict[str, Any]:
    secret = {"name": _CERTIFICATE, "sds_config": _file("sds.yaml")}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{n.TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificate_sds_secret_configs": [secret],
            },
        },
    }


def _state_routes() -> dict[str, Any]:
    get = [{"name": ":method", "string_match": {"exact": "GET"}}]
    table = [
        {"match": {"path": page, "headers": get}, "route": {"cluster": _ADMIN, "timeout": "5s"}}
        for page in _STATE_PAGES
    ]
    return {"virtual_hosts": [{"name": "state", "domains": ["*"], "routes": table}]}


def _public() -> dict[str, Any]:
    """What the connection manager of the public listener adds."""
    return {
        "rds": {"route_config_name": n.ROUTES, "config_source": _file("rds.yaml")},
        "request_headers_timeout": "10s",
        "stream_idle_timeout": "300s",
        "common_http_protocol_options": {
            "idle_timeout": "300s",
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        # Every client is a stranger, also one in the cluster: else it could choose its request id,
        # and with it whether it is sampled, or set timeouts and retries by x-envoy-* headers.
        "use_remote_address": True,
        "internal_address_config": {"cidr_ranges": [_NOBODY]},
        "always_set_request_id_in_response": True,
        "early_header_mutation_extensions": [_strip()],
    }


def _strip() -> dict[str, Any]:
    """Removes what only the router may say."""
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": _MUTATION,
            "mutations": [{"remove_on_match": {"key_matcher": {"prefix": n.OWN_HEADERS}}}],
        },
    }


def _listener(name: str, port: int, options: dict[str, Any]) -> dict[str, Any]:
    router = {"@type": f"{n.TYPE}.extensions.filters.http.router.v3.Router"}
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
        "per_connection_buffer_limit_bytes": n.LARGE,
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
