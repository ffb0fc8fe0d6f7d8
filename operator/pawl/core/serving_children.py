"""The children of a Deployment: what must be applied for a step of its rollout, what must go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pawl import constants as c
from pawl.api.deployment import DeploymentSpec, ServedVersion
from pawl.api.rollout_status import RolledBack
from pawl.core import shift
from pawl.core.capacity import Capacity
from pawl.core.front import Front
from pawl.core.installation import Installation
from pawl.core.manifests import serving
from pawl.core.plan import Action, Apply, Delete, EnsureSecret
from pawl.core.routing.route import Backend, Route, Shadow, Sticky

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Memory:
    """What must outlive `.status`, kept on the router's ConfigMap: which version is the stable one
    and which candidates failed."""

    stable: ServedVersion | None = None
    rolled_back: tuple[RolledBack, ...] = ()

    def to_json(self) -> str:
        """As the value of the annotation."""
        stable = self.stable.model_dump(by_alias=True, mode="json") if self.stable else None
        failed = [entry.model_dump(by_alias=True, mode="json") for entry in self.rolled_back]
        return json.dumps({"stable": stable, "rolledBack": failed}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Memory:
        """Inverse of `to_json`; nothing is remembered of what cannot be read."""
        try:
            raw = json.loads(text)
            stable = ServedVersion.model_validate(raw["stable"]) if raw["stable"] else None
            return cls(stable, tuple(RolledBack.model_validate(e) for e in raw["rolledBack"]))
        except (ValueError, KeyError, TypeError):
            return cls()


@dataclass(frozen=True)
class Children:
    """The children there are, of one Deployment (`owner`)."""

    owner: Object
    spec: DeploymentSpec
    servers: tuple[Object, ...]
    services: tuple[Object, ...]
    autoscalers: tuple[Object, ...]
    front: Front
    installation: Installation

    @property
    def by_version(self) -> dict[int, Object]:
        """Version -> its apps/v1 Deployment."""
        return by_version(self.servers)

    @property
    def route(self) -> Route:
        """The route that is published."""
        text = self._annotation(c.ANNOTATION_ROUTE)
        try:
            return Route.from_json(text)
        except ValueError:
            return Route(self.spec.model, (), self.spec.routing.timeout_seconds)

    @property
    def memory(self) -> Memory:
        """What was remembered with it."""
        return Memory.from_json(self._annotation(c.ANNOTATION_MEMORY))

    def _annotation(self, name: str) -> str:
        published = self.front.published
        if published is None:
            return ""
        return str(published["metadata"].get("annotations", {}).get(name, ""))

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

    def following(
        self, weights: shift.Weights, shadow: Shadow | None = None, salt: str = ""
    ) -> Route:
        """The route with these weights; users stick to their version while a rollout (that `salt`
        names) is under way."""
        backends = tuple(
            Backend(version, self._host(version), c.SERVER_PORT, weight)
            for version, weight in sorted(weights.items())
        )
        rollout = self.spec.rollout
        sticky = rollout.canary.sticky if rollout is not None and rollout.canary else None
        routing = self.spec.routing
        return Route(
            self.spec.model,
            backends,
            routing.timeout_seconds,
            shadow=shadow,
            sticky=Sticky(sticky.header.lower(), salt) if sticky and salt else None,
            tls=routing.tls is not None,
        )

    def _host(self, version: int) -> str:
        meta = self.owner["metadata"]
        service = serving.server_name(meta["name"], version)
        return f"{service}.{meta['namespace']}.svc.{self.installation.cluster_domain}."

    def actions(
        self,
        kept: Mapping[int, ServedVersion],
        capacity: Capacity,
        route: Route,
        memory: Memory,
        removable: frozenset[int],
    ) -> list[Action]:
        """All that must be applied for the versions in `kept` and a route, and what must go."""
        owner, spec, meta = dict(self.owner), self.spec, self.owner["metadata"]
        applied: list[Object] = []
        for number, served in sorted(kept.items()):
            replicas = capacity.replicas(number)
            applied.append(serving.build_server_service(owner, spec, served))
            applied.append(serving.build_server(owner, spec, served, replicas, self.installation))
            if capacity.scaled(number):
                applied.append(serving.build_autoscaler(owner, spec, served))
        carrier, *others = self.front.children(route)
        carrier["metadata"]["annotations"][c.ANNOTATION_MEMORY] = memory.to_json()
        published = self.front.published
        if published is not None:  # a plan that was made for an older route must not be written
            carrier["metadata"]["resourceVersion"] = published["metadata"]["resourceVersion"]
        applied += [carrier, *others]
        name = serving.feedback_secret(meta["name"])
        keys = [EnsureSecret(meta["namespace"], name, owner)] if spec.server.feedback else []
        unwanted = self._unwanted({n for n in kept if capacity.scaled(n)}, set(kept), removable)
        return [*keys, *(Apply(item) for item in applied), *unwanted]

    def _unwanted(
        self, scaled: set[int], kept: set[int], removable: frozenset[int]
    ) -> list[Action]:
        going = [item for number, item in self.by_version.items() if number in removable]
        going += [i for number, i in by_version(self.services).items() if number not in kept]
        going += [i for number, i in by_version(self.autoscalers).items() if number not in scaled]
        return [deletion(item) for item in going]


def deletion(item: Object) -> Delete:
    """Of exactly this object."""
    meta = item["metadata"]
    return Delete(item["apiVersion"], item["kind"], meta["namespace"], meta["name"], meta["uid"])


def by_version(items: tuple[Object, ...]) -> dict[int, Object]:
    """By the version label; items without one (the router's) are left out."""
    return {
        int(label): item
        for item in items
        if (label := item["metadata"].get("labels", {}).get(c.LABEL_VERSION, "")).isdigit()
    }
