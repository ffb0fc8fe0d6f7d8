"""Retires versions and removes bundles that nobody needs (`core.retention`), now and then.

The order survives an operator that dies anywhere in it: the version is recorded as retired, then
told in the log, then its object is deleted; its bytes go in a later sweep, which finds them by the
record alone, the manifest first: what has a manifest is whole. Runs, captured rows and the decision
record are not touched.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from pawl.artifacts.bundle import MANIFEST
from pawl.artifacts.retry import Retry
from pawl.artifacts.store import Store, open_store
from pawl.control.kinds import DEPLOYMENTS, MODEL_VERSIONS, TRAINING_JOBS, Resource
from pawl.control.kube import Kube, KubeError
from pawl.core.conditions import timestamp
from pawl.core.recall import short
from pawl.core.retention import Known, Policy, Series, referenced, retirable
from pawl.errors import ConflictError, PawlError

Object = Mapping[str, Any]
log = logging.getLogger(__name__)
_EVERY = 3600.0


@dataclass(frozen=True)
class Objects:
    """Our objects in the namespaces that are looked after; `namespaces` empty: all."""

    versions: tuple[Object, ...]
    deployments: tuple[Object, ...]
    jobs: tuple[Object, ...]
    namespaces: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, listed: Callable[[Resource], Iterable[Object]], namespaces: tuple[str, ...]
    ) -> Objects:
        """As a list of each kind has them."""
        kinds = (MODEL_VERSIONS, DEPLOYMENTS, TRAINING_JOBS)
        versions, deployments, jobs = (tuple(listed(kind)) for kind in kinds)
        return cls(versions, deployments, jobs, namespaces)


@dataclass(frozen=True)
class Bundle:
    """A folder of the store that nobody needs."""

    path: str
    files: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True)
class Surplus:
    """What may go: (namespace, model, version), and bundles."""

    versions: tuple[tuple[str, str, Known], ...] = ()
    bundles: tuple[Bundle, ...] = ()


class Retention:
    """Of one store and one installation."""

    def __init__(self, kube: Kube, store: str, installation: str, policy: Policy) -> None:
        self._kube = kube
        self._uri = store
        self._id = installation
        self._policy = policy

    async def run(self, objects: Callable[[], Objects]) -> None:
        """Sweeps until cancelled; what fails is tried again next time."""
        while True:
            await asyncio.sleep(_EVERY)
            try:
                await self.sweep(objects())
            except (PawlError, OSError, TimeoutError) as error:
                log.warning("retention: %s", error)

    async def sweep(self, objects: Objects) -> Surplus:
        """Finds what may go, and lets it go."""
        found = await self.find(objects)
        for namespace, model, known in found.versions:
            await self._retire(namespace, model, known)
        await asyncio.to_thread(self._remove, found.bundles)
        return found

    async def find(self, objects: Objects) -> Surplus:
        """What may go. StoreError when the store does not answer."""
        return await asyncio.to_thread(self._find, objects, datetime.now(UTC).timestamp())

    def _find(self, objects: Objects, now: float) -> Surplus:
        with self._open() as store:
            record = _Record(store.list("decisions"))
            groups = _grouped(objects, record.of(self._id, objects.namespaces))
            surplus = [
                (group.namespace, group.model, known)
                for group in groups
                for known in retirable(group, self._policy, now)
                if known.item is not None or self._old(store, [record.path(self._id, group, known)])
            ]
            needed = referenced(record.files, objects.versions, objects.deployments)
            bundles = [
                Bundle(path, files, sum(store.size(file) for file in files))
                for group in groups
                for path, files in _bundles(store, f"bundles/{group.namespace}/{group.model}")
                if short(path.rsplit("/", 1)[-1]) not in needed and self._old(store, files)
            ]
        return Surplus(tuple(surplus), tuple(bundles))

    def _old(self, store: Store, paths: Iterable[str]) -> bool:
        """Whether nothing was written to any of them for long enough."""
        now = datetime.now(UTC).timestamp()
        return all(now - store.modified(path) > self._policy.min_age for path in paths)

    async def _retire(self, namespace: str, model: str, known: Known) -> None:
        at = timestamp(datetime.now(UTC))
        line = {"version": known.name, "reason": "Retired", "by": "pawl", "at": at}
        folder = f"decisions/{self._id}/{namespace}/{model}"

        def write() -> None:
            with self._open() as store:
                for path in (
                    f"{folder}/retired/{known.file}.json",
                    f"{folder}/log/{at.replace(':', '')}-{known.name}-Retired.json",
                ):
                    try:
                        store.put(path, orjson.dumps(line))
                    except ConflictError:
                        continue

        await asyncio.to_thread(write)
        if known.item is not None:
            uid = known.item["metadata"]["uid"]
            try:
                await self._kube.delete(MODEL_VERSIONS, namespace, known.name, uid)
            except KubeError as error:
                if not error.namespace_ends:
                    raise
        log.info("retired", extra={"fields": {"object": f"ModelVersion/{namespace}/{known.name}"}})

    def _remove(self, bundles: Iterable[Bundle]) -> None:
        with self._open() as store:
            for bundle in bundles:
                if not self._old(store, bundle.files):  # published again meanwhile
                    continue
                for path in sorted(bundle.files, key=lambda path: not path.endswith(MANIFEST)):
                    store.delete(path)
                log.info("removed", extra={"fields": {"bundle": bundle.path}})

    def _open(self) -> Store:
        return open_store(self._uri, retry=Retry(attempts=2))


class _Record:
    """The names in decisions/<installation>/<namespace>/<model>/{versions,retired}/."""

    def __init__(self, paths: Iterable[str]) -> None:
        versions: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        retired: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for path in paths:
            parts = path.split("/")
            if len(parts) == 6 and parts[4] in ("versions", "retired"):
                into = versions if parts[4] == "versions" else retired
                into[(parts[1], parts[2], parts[3])].add(parts[5].removesuffix(".json"))
        self._kept = {key: frozenset(files - retired[key]) for key, files in versions.items()}

    @property
    def files(self) -> list[str]:
        """Of all installations, without what is retired."""
        return [name for names in self._kept.values() for name in names]

    def of(self, id_: str, namespaces: tuple[str, ...]) -> dict[tuple[str, str], frozenset[str]]:
        """(namespace, model) -> the files of one installation."""
        return {
            (namespace, model): names
            for (owner, namespace, model), names in self._kept.items()
            if owner == id_ and (not namespaces or namespace in namespaces)
        }

    @staticmethod
    def path(id_: str, group: Series, known: Known) -> str:
        """Of a version's file."""
        return f"decisions/{id_}/{group.namespace}/{group.model}/versions/{known.file}.json"


def _grouped(objects: Objects, recorded: Mapping[tuple[str, str], frozenset[str]]) -> list[Series]:
    """By namespace and model."""
    found: dict[tuple[str, str], list[list[Object]]] = {key: [[], [], []] for key in recorded}
    for place, items in enumerate((objects.versions, objects.deployments, objects.jobs)):
        for item in items:
            key = (item["metadata"]["namespace"], item["spec"].get("model", ""))
            found.setdefault(key, [[], [], []])[place].append(item)
    return [
        Series(
            namespace,
            model,
            versions=tuple(versions),
            deployments=tuple(deployments),
            jobs=tuple(jobs),
            recorded=recorded.get((namespace, model), frozenset()),
        )
        for (namespace, model), (versions, deployments, jobs) in sorted(found.items())
    ]


def _bundles(store: Store, folder: str) -> list[tuple[str, tuple[str, ...]]]:
    """(path, files) of the bundles of a model."""
    files: dict[str, list[str]] = defaultdict(list)
    for path in store.list(folder):
        files[path.rsplit("/", 1)[0]].append(path)
    return [(path, tuple(names)) for path, names in sorted(files.items())]
