"""How many server pods each version needs for its part of the traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pawl import constants as c
from pawl.api.deployment import DeploymentSpec
from pawl.core.shift import Pods, Wanted, Weights

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Capacity:
    """Counts of the server pods. The stable version (`stable`) keeps all it has until another one
    took its place; a part of the traffic, or of its copies, needs that part of the pods, rounded
    up; what leaves keeps what it has.

    `servers` are the apps/v1 Deployments by version, `weights` those of the published route.
    """

    spec: DeploymentSpec
    servers: Mapping[int, Object]
    stable: int | None
    wanted: Wanted
    weights: Weights

    def share(self, version: int) -> int:
        """The part of the full capacity that a version must have, in per cent."""
        if version == self.stable:
            return 100
        shadow = self.wanted.shadow
        copies = shadow.percent if shadow is not None and shadow.version == version else 0
        weight = self.wanted.weights.get(version, 0)
        return max(weight, self.weights.get(version) or 0, copies)

    def scaled(self, version: int) -> bool:
        """An autoscaler looks after it: it has, or shall have, all of the traffic."""
        return self.spec.autoscaling is not None and self.share(version) == 100

    def replicas(self, version: int) -> int | None:
        """How many pods are asked for; None when somebody else (the autoscaler, `kubectl scale`)
        owns the count."""
        server = self.servers.get(version)
        if version not in self.wanted.versions and version != self.stable and server is not None:
            return None if _owned_elsewhere(server) else int(server["spec"].get("replicas", 1))
        if not self.scaled(version):
            return -(-self._full() * self.share(version) // 100) or 1
        if server is None:
            return self._full()
        if _owned_elsewhere(server):
            return None
        has = int(server["spec"].get("replicas", 1))
        return has if version == self.stable else max(has, self._full())

    def pods(self) -> dict[int, Pods]:
        """How many pods each version needs, and has ready."""
        found = {version: Pods(self._needed(version), 0) for version in self.wanted.versions}
        for version, server in self.servers.items():
            status = server.get("status", {})
            fresh = status.get("observedGeneration", 0) >= server["metadata"].get("generation", 0)
            ready = min(status.get("readyReplicas", 0), status.get("updatedReplicas", 0))
            found[version] = Pods(self._needed(version), ready if fresh else 0)
        return found

    def _needed(self, version: int) -> int:
        server = self.servers.get(version)
        count = self.replicas(version)
        if count is None and server is not None:
            count = int(server["spec"].get("replicas", 1))
        return count or 1

    def _full(self) -> int:
        """What all of the traffic needs: as many as the busiest version has, when scaled."""
        scaling = self.spec.autoscaling
        if scaling is None:
            return self.spec.replicas or 1
        counts = [int(server["spec"].get("replicas", 1)) for server in self.servers.values()]
        return max(scaling.min, min(scaling.max, max(counts, default=scaling.min)))


def _owned_elsewhere(server: Object) -> bool:
    return any(
        entry["manager"] != c.FIELD_MANAGER
        and "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {})
        for entry in server["metadata"].get("managedFields", [])
    )
