"""Routing through a Gateway API implementation: the HTTPRoute for a route
(gateway.networking.k8s.io/v1, standard channel).

Weights are core of the API, so every implementation splits; what is more is a feature that the
GatewayClass names in `status.supportedFeatures`. A gateway keeps no user at a version (there is no
session persistence in the standard channel), and counts for nobody: errors of the two versions are
then only those that the servers answer themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pawl import constants as c
from pawl.core.manifests import common
from pawl.core.routing.route import Backend, Route, Shadow

GROUP = "gateway.networking.k8s.io"
API_VERSION = f"{GROUP}/v1"
MIRROR = "HTTPRouteRequestMirror"
MIRROR_SHARE = "HTTPRouteRequestPercentageMirror"
TIMEOUT = "HTTPRouteRequestTimeout"
BACKEND_HEADERS = "HTTPRouteBackendRequestHeaderModification"
PARENT_PORT = "HTTPRouteParentRefPort"


@dataclass(frozen=True)
class ParentRef:
    """A Gateway, or one of its listeners. Without a namespace: the Deployment's own."""

    name: str
    namespace: str | None = None
    section_name: str | None = None
    port: int | None = None

    def render(self) -> dict[str, Any]:
        """As in `spec.parentRefs`."""
        found: dict[str, Any] = {"group": GROUP, "kind": "Gateway", "name": self.name}
        if self.namespace is not None:
            found["namespace"] = self.namespace
        if self.section_name is not None:
            found["sectionName"] = self.section_name
        if self.port is not None:
            found["port"] = self.port
        return found

    def key(self, namespace: str) -> tuple[str, str, str | None, int | None]:
        """What names the same parent, however it is written, for a route in `namespace`."""
        return (self.namespace or namespace, self.name, self.section_name, self.port)


@dataclass(frozen=True)
class Attachment:
    """Where the route is attached, and for which host names (none: for all of the listener's)."""

    parents: tuple[ParentRef, ...]
    hostnames: tuple[str, ...] = ()


@dataclass(frozen=True)
class Features:
    """What all the classes of the attached Gateways can do."""

    names: frozenset[str] = frozenset()

    def __contains__(self, name: str) -> bool:
        return name in self.names


def build_http_route(
    owner: dict[str, Any], route: Route, attachment: Attachment, can: Features
) -> dict[str, Any]:
    """The HTTPRoute; it has the Deployment's name, and keeps the route in an annotation.

    A time limit, the exact share of a mirror and the weight that a server is told are written when
    the gateways can do them; `problems` refuses what must not be left out. All paths begin with
    that of the model: other models may share the host name.
    """
    meta = owner["metadata"]
    labels = {
        c.LABEL_DEPLOYMENT: meta["name"],
        c.LABEL_MODEL: route.model,
        c.LABEL_ROLE: c.ROLE_ROUTER,
    }
    metadata = common.metadata(meta["name"], meta["namespace"], owner, labels)
    metadata["annotations"] = {c.ANNOTATION_ROUTE: route.to_json()}
    spec: dict[str, Any] = {"parentRefs": [parent.render() for parent in attachment.parents]}
    if attachment.hostnames:
        spec["hostnames"] = list(attachment.hostnames)
    spec["rules"] = _rules(route, can)
    return {"apiVersion": API_VERSION, "kind": "HTTPRoute", "metadata": metadata, "spec": spec}


def _rules(route: Route, can: Features) -> list[dict[str, Any]]:
    """The most specific path wins, whatever the order."""
    model = f"/v2/models/{route.model}"
    rules = [
        _rule(route, can, "PathPrefix", f"{model}/versions/{backend.version}", [_plain(backend)])
        for backend in route.routed
    ]
    if route.main is None:
        return [_rule(route, can, "PathPrefix", model, [])]  # 404
    infer = _rule(route, can, "Exact", f"{model}/infer", _split(route, can))
    if BACKEND_HEADERS in can:
        del infer["filters"]  # each backend has its own: which of the two came last is not said
    if route.shadow is not None:
        infer.setdefault("filters", []).append(_mirror(route, route.shadow, can))
    return [*rules, infer, _rule(route, can, "PathPrefix", model, [_plain(route.main)])]


def _rule(
    route: Route, can: Features, kind: str, path: str, backends: list[dict[str, Any]]
) -> dict[str, Any]:
    found: dict[str, Any] = {"matches": [{"path": {"type": kind, "value": path}}]}
    if backends:
        found["filters"] = [_headers(None)]
        found["backendRefs"] = backends
    if TIMEOUT in can:
        found["timeouts"] = {"request": f"{route.timeout_seconds}s"}
    return found


def _split(route: Route, can: Features) -> list[dict[str, Any]]:
    found = []
    for backend in route.routed:
        share = {**_plain(backend), "weight": backend.weight or 0}
        if BACKEND_HEADERS in can:
            share["filters"] = [_headers(backend.weight)]
        found.append(share)
    return found


def _plain(backend: Backend) -> dict[str, Any]:
    """The version's headless Service: the first label of its DNS name."""
    name = backend.host.partition(".")[0]
    return {"group": "", "kind": "Service", "name": name, "port": backend.port, "weight": 1}


def _headers(weight: int | None) -> dict[str, Any]:
    """What clients say of themselves goes; the server is told its weight."""
    removed = [c.HEADER_USER, c.HEADER_SALT]
    change: dict[str, Any]
    if weight is None or weight == 100:
        change = {"remove": [c.HEADER_WEIGHT, *removed]}
    else:
        change = {"set": [{"name": c.HEADER_WEIGHT, "value": str(weight)}], "remove": removed}
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": change}


def _mirror(route: Route, shadow: Shadow, can: Features) -> dict[str, Any]:
    target = next(backend for backend in route.backends if backend.version == shadow.version)
    reference = {k: v for k, v in _plain(target).items() if k != "weight"}
    change: dict[str, Any] = {"backendRef": reference}
    if shadow.percent < 100 and MIRROR_SHARE in can:
        change["percent"] = shadow.percent
    return {"type": "RequestMirror", "requestMirror": change}
