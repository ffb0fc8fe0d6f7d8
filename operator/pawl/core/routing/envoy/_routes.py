"""rds.yaml: which request goes where.

In this order: requests that name a version get that version; feedback goes to the main version,
by its token always to the same pod; inferences are split by weight, and mirrored; the rest (what
describes the model) is answered by the main version.
"""

from __future__ import annotations

import re
from typing import Any

from pawl.constants import HEADER_SALT, HEADER_USER, HEADER_WEIGHT
from pawl.core.routing.envoy import _names as n
from pawl.core.routing.route import Backend, Route

_POST = [{"name": ":method", "string_match": {"exact": "POST"}}]


def routes(route: Route) -> dict[str, Any]:
    """The file."""
    table: list[dict[str, Any]] = []
    if route.tls:
        table.append({"match": {"path": n.READY}, "direct_response": {"status": 200}})
    model = f"/v2/models/{route.model}"
    for backend in route.routed:
        version = f"{model}/versions/{backend.version}"
        table.append(_feedback(route, backend, f"{version}/feedback"))
        match = {"safe_regex": {"regex": f"{re.escape(version)}(/.*)?"}}
        table.append({"match": match, "route": _to(route, backend)})
    if route.main is not None:
        table.append(_feedback(route, route.main, f"{model}/feedback"))
        table += _inferences(route, f"{model}/infer")
        table.append({"match": {"prefix": "/v2"}, "route": _to(route, route.main)})
    configuration = {
        "@type": f"{n.TYPE}.config.route.v3.RouteConfiguration",
        "name": n.ROUTES,
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": table}],
    }
    return {"version_info": route.routes_revision, "resources": [configuration]}


def _to(route: Route, backend: Backend) -> dict[str, Any]:
    return {
        "cluster": n.direct(backend.version),
        "timeout": f"{route.timeout_seconds}s",
        "retry_policy": _retries("connect-failure,refused-stream,reset-before-request"),
    }


def _feedback(route: Route, backend: Backend, path: str) -> dict[str, Any]:
    """What a pod may have counted already is never sent again."""
    action = {
        **_to(route, backend),
        "retry_policy": _retries("connect-failure"),
        "hash_policy": [{"query_parameter": {"name": "token"}}],
    }
    return {"match": {"path": path, "headers": _POST}, "route": action}


def _inferences(route: Route, path: str) -> list[dict[str, Any]]:
    """Three routes with a shadow, by the size of the body; the last is not copied."""
    if route.shadow is None:
        return [_infer(route, path)]
    small, large = n.shadow(route.shadow.version), n.large_shadow(route.shadow.version)
    return [
        _infer(route, path, mirror=small, up_to=n.SMALL),
        _infer(route, path, mirror=large, up_to=n.LARGE),
        _infer(route, path),
    ]


def _infer(route: Route, path: str, mirror: str = "", up_to: int = 0) -> dict[str, Any]:
    """The order of the clusters is fixed and their sum is 100: so a hash that met the version with
    the growing share meets it also after it has grown."""
    split: dict[str, Any] = {"clusters": [_share(backend) for backend in route.routed]}
    action: dict[str, Any] = {
        "weighted_clusters": split,
        "timeout": f"{route.timeout_seconds}s",
        "retry_policy": _retries("connect-failure,refused-stream,reset-before-request"),
    }
    found: dict[str, Any] = {"match": {"path": path, "headers": _POST}, "route": action}
    if route.sticky is not None:
        split["use_hash_policy"] = True
        salted = {"pattern": {"regex": "^"}, "substitution": route.sticky.salt}
        header = {"header_name": route.sticky.header, "regex_rewrite": salted}
        action["hash_policy"] = [{"header": header}]
        found["request_headers_to_add"] = [
            _header(HEADER_USER, f"%REQ({route.sticky.header})%"),
            _header(HEADER_SALT, route.sticky.salt),
        ]
    if route.shadow is not None and mirror:
        size = {"name": "content-length", "range_match": {"start": 0, "end": up_to + 1}}
        found["match"]["headers"] = [*_POST, size]
        percent = {"numerator": route.shadow.percent, "denominator": "HUNDRED"}
        copied = {"cluster": mirror, "runtime_fraction": {"default_value": percent}}
        action["request_mirror_policies"] = [copied]
    return found


def _share(backend: Backend) -> dict[str, Any]:
    share: dict[str, Any] = {"name": n.by_weight(backend.version), "weight": backend.weight}
    if backend.weight != 100:
        share["request_headers_to_add"] = [_header(HEADER_WEIGHT, str(backend.weight))]
    return share


def _header(name: str, value: str) -> dict[str, Any]:
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _retries(when: str) -> dict[str, Any]:
    """Inference is a pure function, so a request that no pod has begun to answer may be given to
    another pod. Answers of a model are never retried."""
    predicate = f"{n.TYPE}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    return {
        "retry_on": when,
        "num_retries": 3,
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {"@type": predicate},
            }
        ],
        # Each is blind: by a hash that has two pods to choose from, the dead one every other time.
        "host_selection_retry_max_attempts": "20",
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
    }
