"""All reflectors of an operator, and the look-ups that the observers need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pawl import constants as c
from pawl.control import index
from pawl.control.kinds import (
    AUTOSCALERS,
    BUDGETS,
    CHILDREN,
    CONFIG_MAPS,
    DEPLOYMENTS,
    JOBS,
    MODEL_VERSIONS,
    OURS,
    PODS,
    SERVICES,
    TRAINING_JOBS,
    WORKLOADS,
    Resource,
)
from pawl.control.kube import Kube
from pawl.control.queue import Key
from pawl.control.reflector import Reflector
from pawl.core.versions import undecided

Object = Mapping[str, Any]

#: Whose plans look at objects of a kind, by model: at what `_looked_at` gives, or at any part.
_RELATED: dict[Resource, tuple[Resource, ...]] = {
    MODEL_VERSIONS: (MODEL_VERSIONS, DEPLOYMENTS),
    DEPLOYMENTS: (MODEL_VERSIONS, TRAINING_JOBS),
}
_RELATED_TO_ALL: dict[Resource, tuple[Resource, ...]] = {MODEL_VERSIONS: (TRAINING_JOBS,)}


class Cache:
    """One reflector a kind and namespace (or one a kind, when all namespaces are watched)."""

    def __init__(
        self, kube: Kube, namespaces: tuple[str, ...], wake: Callable[[Key], None]
    ) -> None:
        self._wake_up = wake
        self._sleeping: Key | None = None
        scopes: tuple[str | None, ...] = namespaces or (None,)
        self._reflectors = {
            resource: [Reflector(kube, resource, scope, self._changed) for scope in scopes]
            for resource in (*OURS, *CHILDREN)
        }

    @property
    def reflectors(self) -> list[Reflector]:
        """All of them, to be run."""
        return [reflector for many in self._reflectors.values() for reflector in many]

    async def synced(self) -> None:
        """Returns when every kind has been listed since its reflector was last started."""
        for reflector in self.reflectors:
            await reflector.synced.wait()

    def our_keys(self) -> list[Key]:
        """All of our objects."""
        return [_key(item) for resource in OURS for item in self.all(resource)]

    def our_uids(self) -> frozenset[str]:
        """Of all of them."""
        return frozenset(item["metadata"]["uid"] for kind in OURS for item in self.all(kind))

    def sizes(self) -> dict[str, int]:
        """How many objects of each kind are known, by plural (workloads and our Deployments have
        different ones)."""
        return {
            resource.plural: sum(reflector.size for reflector in many)
            for resource, many in self._reflectors.items()
        }

    def all(self, resource: Resource) -> list[Object]:
        """All objects of a kind."""
        return [item for reflector in self._reflectors[resource] for item in reflector.all()]

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """One object, if it is known; none of a kind that is not watched."""
        for reflector in self._reflectors.get(resource, ()):
            item = reflector.get(namespace, name)
            if item is not None:
                return item
        return None

    def learn(self, resource: Resource, item: Object, *, quietly: bool = False) -> None:
        """Take over the API server's answer to a write of our own, if the kind is watched.
        `quietly` does not wake the object itself: its plan says when it is looked at again."""
        reflectors = self._reflectors.get(resource, [])
        namespace = item["metadata"]["namespace"]
        self._sleeping = _key(item) if quietly else None
        for reflector in reflectors:
            if reflector.covers(namespace):
                reflector.learn(item)
        self._sleeping = None

    def labelled(self, resource: Resource, namespace: str, **labels: str) -> tuple[Object, ...]:
        """Objects of a kind with all of these labels (`training_job="x"` is
        `pawl.dev/training-job=x`); one of them is in `index.LABELS`."""
        wanted = {f"{c.GROUP}/{name.replace('_', '-')}": value for name, value in labels.items()}
        first = next(label for label in index.LABELS if label in wanted)
        return tuple(
            item
            for item in self._group(resource, index.labelled(namespace, first, wanted[first]))
            if wanted.items() <= item["metadata"].get("labels", {}).items()
        )

    def owned(self, resource: Resource, owner: Object) -> tuple[Object, ...]:
        """Objects of a kind that `owner` controls; in its namespace, as Kubernetes has it."""
        meta = owner["metadata"]
        found = self._group(resource, index.owned_by(meta["uid"]))
        return tuple(item for item in found if item["metadata"]["namespace"] == meta["namespace"])

    def of_model(self, resource: Resource, namespace: str, model: str) -> tuple[Object, ...]:
        """Objects of one of our kinds for a model."""
        return tuple(self._group(resource, index.of_model(namespace, model)))

    def _group(self, resource: Resource, group: str) -> Iterator[Object]:
        for reflector in self._reflectors[resource]:
            yield from reflector.group(group)

    def _wake(self, key: Key) -> None:
        if key != self._sleeping:
            self._wake_up(key)

    def _changed(self, resource: Resource, item: Object, before: Object | None) -> None:
        """Wakes everything whose plan may look different now."""
        namespace = item["metadata"].get("namespace", "")
        if resource in (JOBS, WORKLOADS, SERVICES, CONFIG_MAPS, AUTOSCALERS, BUDGETS):
            for reference in item["metadata"].get("ownerReferences", []):
                if reference["apiVersion"] == c.API_VERSION:
                    self._wake(Key(reference["kind"], namespace, reference["name"]))
        elif resource == PODS:
            labels = item["metadata"].get("labels", {})
            for label, kind in (
                (c.LABEL_TRAINING_JOB, TRAINING_JOBS.kind),
                (c.LABEL_DEPLOYMENT, DEPLOYMENTS.kind),
            ):
                if label in labels:
                    self._wake(Key(kind, namespace, labels[label]))
        else:
            self._wake(_key(item))
            for reference in item["metadata"].get("ownerReferences", []):
                if reference["apiVersion"] == c.API_VERSION:  # of a Deployment that retrains
                    self._wake(Key(reference["kind"], namespace, reference["name"]))
            model = item.get("spec", {}).get("model", "")
            kinds = _RELATED_TO_ALL.get(resource, ())
            if before is item or _looked_at(resource, item) != _looked_at(resource, before):
                kinds = (*_RELATED.get(resource, ()), *kinds)
            for related in kinds:
                for other in self.of_model(related, namespace, model):
                    self._wake(_key(other))


def _key(item: Object) -> Key:
    meta = item["metadata"]
    return Key(item["kind"], meta["namespace"], meta["name"])


def _looked_at(resource: Resource, item: Object | None) -> object:
    """What others look at: where n versions look at each other, each of n changes of a status that
    is none of their business would cost n plans."""
    if item is None:
        return None
    status = item.get("status") or {}
    if resource == DEPLOYMENTS:
        parts = [status.get(role) or {} for role in ("stable", "candidate")]
        served = [(part.get("name"), part.get("since")) for part in parts]
        version = item.get("spec", {}).get("version")
        return item["metadata"]["uid"], version, served, undecided((), (item,))
    told = [c for c in status.get("conditions", ()) if c["type"] == "ArtifactVerified"]
    verified = [(c["status"], c.get("message")) for c in told]
    digest = status.get("verifiedDigest")
    return item["metadata"]["uid"], item.get("spec"), verified, digest, undecided((item,), ())
