"""The children of a Deployment: what must be applied for a step of its rollout, what must go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pawl import constants as c
from pawl.api.deployment import DeploymentSpec, ServedVersion
from pawl.core import rollout
from pawl.core.installation import Installation
from pawl.core.manifests import router, serving
from pawl.core.plan import Action, Apply, Delete
from pawl.core.routing.route import Backend, Route

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Children:
    """The children there are, of one Deployment (`owner`)."""

    owner: Object
    spec: DeploymentSpec
    servers: tuple[Object, ...]
    services: tuple[Object, ...]
    autoscalers: tuple[Object, ...]
    config_map: Object | None
    installation: Installation

    @property
    def by_version(self) -> dict[int, Object]:
        """Version -> its apps/v1 Deployment."""
        return by_version(self.servers)

    @property
    def route(self) -> Route:
        """The route that is published."""
        empty = Route(self.spec.model, (), self.spec.routing.timeout_seconds)
        if self.config_map is None:
            return empty
        text = self.config_map["metadata"].get("annotations", {}).get(c.ANNOTATION_ROUTE)
        try:
            return Route.from_json(text) if text else empty
        except ValueError:
            return empty

    def served(self, version: int) -> ServedVersion | None:
        """What a version's server says that it serves."""
        server = self.by_version.get(version)
        if server is None:
            return None
        text = server["metadata"].get("annotations", {}).get(c.ANNOTATION_SERVED)
        try:
            return ServedVersion.model_validate_json(text) if text else None
        except ValidationError:
            return None

    def pods(self, target: int) -> dict[int, rollout.Pods]:
        """How many server pods each version wants and has ready."""
        found = {target: rollout.Pods(self.replicas(target) or 1, 0)}
        for number, server in self.by_version.items():
            status, wanted = server.get("status", {}), server["spec"].get("replicas", 1)
            fresh = status.get("observedGeneration", 0) >= server["metadata"].get("generation", 0)
            ready = min(status.get("readyReplicas", 0), status.get("updatedReplicas", 0))
            found[number] = rollout.Pods(wanted, ready if fresh else 0)
        return found

    def replicas(self, version: int) -> int | None:
        """How many pods are asked for; None when an autoscaler owns the count.

        A new version starts with as many as the busiest one has, so that no capacity is lost.
        """
        scaling = self.spec.autoscaling
        if scaling is None:
            return self.spec.replicas or 1
        server = self.by_version.get(version)
        if server is not None:
            return None if _scaled(server) else server["spec"].get("replicas", scaling.min)
        counts = [item["spec"].get("replicas", 1) for item in self.servers]
        return max(scaling.min, min(scaling.max, max(counts, default=scaling.min)))

    def following(self, weights: rollout.Weights) -> Route:
        """The route with these weights."""
        backends = tuple(
            Backend(version, self._host(version), c.SERVER_PORT, weight)
            for version, weight in sorted(weights.items())
        )
        return Route(self.spec.model, backends, self.spec.routing.timeout_seconds)

    def _host(self, version: int) -> str:
        meta = self.owner["metadata"]
        service = serving.server_name(meta["name"], version)
        return f"{service}.{meta['namespace']}.svc.{self.installation.cluster_domain}."

    def actions(self, target: ServedVersion, step: rollout.Step) -> list[Action]:
        """All that must be applied for `step`, and what must be deleted."""
        owner, spec = dict(self.owner), self.spec
        kept = {target.version: target}
        for number in self.by_version:
            served = self.served(number)
            if number not in kept and number not in step.removable and served is not None:
                kept[number] = served
        applied: list[Object] = []
        for number, served in sorted(kept.items()):
            replicas = self.replicas(number)
            applied.append(serving.build_server_service(owner, spec, served))
            applied.append(serving.build_server(owner, spec, served, replicas, self.installation))
            if spec.autoscaling is not None:
                applied.append(serving.build_autoscaler(owner, spec, served))
        applied.append(router.build_router_config(owner, spec, self.following(step.weights)))
        applied.append(router.build_router(owner, spec, self.installation))
        applied.append(router.build_router_service(owner, spec))
        return [*(Apply(item) for item in applied), *self._unwanted(kept, step.removable)]

    def _unwanted(
        self, kept: Mapping[int, ServedVersion], removable: frozenset[int]
    ) -> list[Action]:
        going = [item for number, item in self.by_version.items() if number in removable]
        going += [i for number, i in by_version(self.services).items() if number not in kept]
        going += [
            item
            for number, item in by_version(self.autoscalers).items()
            if number not in kept or self.spec.autoscaling is None
        ]
        return [
            Delete(
                item["apiVersion"],
                item["kind"],
                item["metadata"]["namespace"],
                item["metadata"]["name"],
                item["metadata"]["uid"],
            )
            for item in going
        ]


def by_version(items: tuple[Object, ...]) -> dict[int, Object]:
    """By the version label; items without one (the router's) are left out."""
    return {
        int(label): item
        for item in items
        if (label := item["metadata"].get("labels", {}).get(c.LABEL_VERSION, "")).isdigit()
    }


def _scaled(server: Object) -> bool:
    """Somebody else (the autoscaler, `kubectl scale`) owns the replica count."""
    return any(
        entry["manager"] != c.FIELD_MANAGER
        and "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {})
        for entry in server["metadata"].get("managedFields", [])
    )
