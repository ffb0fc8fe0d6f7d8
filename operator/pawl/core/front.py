"""What stands in front of the server pods: Pawl's own router, or a Gateway API implementation.

Both carry the published route, and what must outlive `.status`, as annotations of one object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pawl import constants as c
from pawl.api.deployment import DeploymentSpec
from pawl.core.installation import Installation
from pawl.core.manifests import router
from pawl.core.reasons import Reason
from pawl.core.routing import gateway, gateway_state
from pawl.core.routing.gateway import Attachment, ParentRef
from pawl.core.routing.route import Route
from pawl.core.routing.state import RouterState

Object = Mapping[str, Any]


@dataclass(frozen=True)
class FrontObserved:
    """`service` has our name, whoever made it; `leftovers` are objects of the other kind of
    front."""

    routers: tuple[RouterState, ...] = ()
    config_map: Object | None = None
    service: Object | None = None
    http_route: Object | None = None
    gateways: tuple[Object, ...] = ()
    gateway_classes: tuple[Object, ...] = ()
    leftovers: tuple[Object, ...] = ()


@dataclass(frozen=True)
class Problem:
    """Why what the spec asks for cannot be done. `serves`: what is served goes on meanwhile."""

    reason: Reason
    message: str
    serves: bool


class Front(Protocol):
    """One of the two."""

    @property
    def published(self) -> Object | None:
        """The object that carries the annotations, if it is there."""

    @property
    def counts(self) -> bool:
        """It counts the requests of each version, as users saw them."""

    def problem(self) -> Problem | None:
        """Why it cannot do what the spec asks for."""

    def routers(self, route: Route, healthy: Mapping[int, int]) -> tuple[RouterState, ...]:
        """Who follows which revision; `healthy` are the ready pods by version."""

    def children(self, route: Route) -> list[dict[str, Any]]:
        """What must be applied; the first carries the annotations."""

    def url(self) -> str | None:
        """Where the model answers."""


@dataclass(frozen=True)
class EnvoyFront:
    """Envoy pods, their ConfigMap, and a Service with the Deployment's name."""

    owner: dict[str, Any]
    spec: DeploymentSpec
    observed: FrontObserved
    installation: Installation

    counts = True

    @property
    def published(self) -> Object | None:
        return self.observed.config_map

    def problem(self) -> Problem | None:
        service, meta = self.observed.service, self.owner["metadata"]
        owners = service["metadata"].get("ownerReferences", []) if service is not None else []
        if service is not None and all(owner["uid"] != meta["uid"] for owner in owners):
            text = f"a Service {meta['name']} of somebody else is in the way; rename one of the two"
            return Problem("NameTaken", text, serves=False)
        return None

    def routers(self, _: Route, __: Mapping[int, int]) -> tuple[RouterState, ...]:
        return self.observed.routers

    def children(self, route: Route) -> list[dict[str, Any]]:
        owner, spec = self.owner, self.spec
        return [
            router.build_router_config(owner, spec, route),
            router.build_router(owner, spec, self.installation),
            router.build_router_service(owner, spec),
            router.build_router_budget(owner, spec),
        ]

    def url(self) -> str | None:
        meta = self.owner["metadata"]
        host = f"{meta['name']}.{meta['namespace']}.svc.{self.installation.cluster_domain}"
        scheme = "https" if self.spec.routing.tls else "http"
        return f"{scheme}://{host}:{c.ROUTER_PORT}/v2/models/{self.spec.model}"


@dataclass(frozen=True)
class GatewayFront:
    """An HTTPRoute that Gateways of somebody else follow."""

    owner: dict[str, Any]
    spec: DeploymentSpec
    observed: FrontObserved
    attachment: Attachment

    counts = False

    @property
    def published(self) -> Object | None:
        return self.observed.http_route

    def problem(self) -> Problem | None:
        rollout = self.spec.rollout
        shadow = rollout.shadow if rollout is not None else None
        canary = rollout.canary if rollout is not None else None
        found = gateway_state.problems(
            self.observed.gateway_classes,
            self.observed.gateways,
            self.attachment,
            self.owner["metadata"]["namespace"],
            shadow_percent=shadow.percent if shadow is not None else None,
            sticky=canary is not None and canary.sticky is not None,
            tls=self.spec.routing.tls is not None,
        )
        if not found:
            return None
        return Problem("NotSupported", "; ".join(found), serves=self.published is not None)

    def routers(self, route: Route, healthy: Mapping[int, int]) -> tuple[RouterState, ...]:
        """The gateways as one router, which follows the published route when all of them say so."""
        if gateway_state.unconfirmed(self.observed.http_route, self.attachment):
            return (RouterState(route.clusters_revision, None, healthy),)
        return (RouterState(route.clusters_revision, route.routes_revision, healthy),)

    def children(self, route: Route) -> list[dict[str, Any]]:
        observed, namespace = self.observed, self.owner["metadata"]["namespace"]
        can = gateway_state.features(
            observed.gateway_classes, observed.gateways, self.attachment, namespace
        )
        return [gateway.build_http_route(self.owner, route, self.attachment, can)]

    def url(self) -> str | None:
        names = [name for name in self.attachment.hostnames if "*" not in name]
        return f"http://{names[0]}/v2/models/{self.spec.model}" if names else None


def front(
    owner: Object, spec: DeploymentSpec, observed: FrontObserved, installation: Installation
) -> Front:
    """The one that the spec asks for."""
    wanted = spec.routing.gateway
    if wanted is None:
        return EnvoyFront(dict(owner), spec, observed, installation)
    parents = tuple(
        ParentRef(parent.name, parent.namespace, parent.section_name, parent.port)
        for parent in wanted.parent_refs
    )
    return GatewayFront(dict(owner), spec, observed, Attachment(parents, wanted.hostnames))
