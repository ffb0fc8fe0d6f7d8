"""Versions with all that they came from, and who serves them: data → job → version → Deployment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pawl.api.modelversion import DataRef, LineageSpec, TrainingJobRef
from pawl.artifacts.records import File
from pawl.core.versions import Version

Object = Mapping[str, Any]
_UNKNOWN = LineageSpec()


@dataclass(frozen=True)
class Data:
    """What was read: the same digest is the same data, wherever they were."""

    uri: str
    digest: str
    rows: int | None
    joined: tuple[str, ...] = ()  # sources beside it, each with its digest

    @staticmethod
    def of(found: DataRef | None) -> Data | None:
        """None where a version does not say, as imported ones do not."""
        if found is None:
            return None
        joined = tuple(f"{s.name} {s.uri} {s.digest}" for s in found.sources)
        return Data(found.uri, found.digest, found.rows, joined)


@dataclass(frozen=True)
class Lineage:
    """`versions` are the wanted ones and all their parents, oldest first, `gone` the names of those
    parents that are no more. `serving` has (Deployment, role) by version, `files` what bundles
    hold, or why that is not known."""

    versions: tuple[Version, ...]
    gone: tuple[str, ...]
    serving: Mapping[str, tuple[tuple[str, str], ...]]
    files: Mapping[str, tuple[File, ...] | str]

    @classmethod
    def of(
        cls, wanted: Sequence[str], versions: Collection[Version], deployments: Sequence[Object]
    ) -> Lineage:
        """Of these versions, among all of the model."""
        by_name = {version.name: version for version in versions}
        chosen: dict[str, Version | None] = {}
        waiting = list(wanted)
        while waiting:
            name = waiting.pop()
            if name in chosen:
                continue
            found = chosen[name] = by_name.get(name)
            parent = told(found).parent if found is not None else None
            waiting += [parent] if parent else []
        there = [version for version in chosen.values() if version is not None]
        return cls(
            versions=tuple(sorted(there, key=lambda version: version.number)),
            gone=tuple(sorted(name for name, version in chosen.items() if version is None)),
            serving={version.name: _serving(version.name, deployments) for version in there},
            files={},
        )

    def with_files(self, files: Mapping[str, tuple[File, ...] | str]) -> Lineage:
        """The same, with what bundles hold."""
        return replace(self, files=files)

    def grouped(self) -> dict[Data | None, dict[TrainingJobRef | None, list[Version]]]:
        """By data, then by run."""
        found: dict[Data | None, dict[TrainingJobRef | None, list[Version]]] = {}
        for version in self.versions:
            lineage = told(version)
            jobs = found.setdefault(Data.of(lineage.data), {})
            jobs.setdefault(lineage.training_job, []).append(version)
        return found


def told(version: Version) -> LineageSpec:
    """What a version says of itself; nothing, where it says nothing."""
    return version.spec.lineage or _UNKNOWN


def served(deployment: Object) -> list[str]:
    """The versions of a Deployment, by its status."""
    status = deployment.get("status") or {}
    found = ((status.get(role) or {}).get("name") for role in ("stable", "candidate"))
    return [name for name in found if name]


def _serving(version: str, deployments: Sequence[Object]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (deployment["metadata"]["name"], role)
        for deployment in deployments
        for role in ("stable", "candidate")
        if ((deployment.get("status") or {}).get(role) or {}).get("name") == version
    )
