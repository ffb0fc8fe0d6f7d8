"""Which versions of a model are kept, and which bytes of the store nobody needs any more.

Kept are the newest `versions` that were not rejected and all that are newer than the oldest of
them; the champion; what a Deployment serves, tries, pins, has served lately or has rolled back;
what is younger than `min_age`; what is annotated `pawl.dev/keep`; and whatever Pawl did not train.
Nothing is retired while a run of the model is under way, nor while a Deployment of it has no stable
version: then it is not known what will be needed.

A bundle is garbage when no version refers to it that is alive, or recorded by any installation and
not retired, and when nothing has been written to it for `min_age`: it may be on its way to become a
version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pawl.api.names import version_number
from pawl.constants import GROUP, LABEL_MANAGED_BY
from pawl.core.conditions import parse_timestamp
from pawl.core.recall import short, version_file
from pawl.core.versions import champion, read_versions

Object = Mapping[str, Any]
KEEP = f"{GROUP}/keep"
_IMPORT = ".import"


@dataclass(frozen=True)
class Policy:
    """`versions` are kept of each model, and all that are younger than `min_age` seconds."""

    versions: int
    min_age: float


@dataclass(frozen=True)
class Series:
    """One model in one namespace. `recorded` are files of the decision record
    (`recall.version_file`) that are not retired."""

    namespace: str
    model: str
    versions: tuple[Object, ...] = ()
    deployments: tuple[Object, ...] = ()
    jobs: tuple[Object, ...] = ()
    recorded: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Known:
    """A version, alive or only recorded (`item` None); `file` is its name in the record."""

    name: str
    file: str
    item: Object | None = None

    @property
    def number(self) -> int:
        """In the series."""
        return version_number(self.name)

    @property
    def born(self) -> float | None:
        """When its object was created, in seconds since 1970."""
        created = self.item["metadata"].get("creationTimestamp") if self.item else None
        return parse_timestamp(created).timestamp() if created else None


def retirable(series: Series, policy: Policy, now: float) -> tuple[Known, ...]:
    """Versions that may go, oldest first. Of those that are only recorded the age is not known
    here."""
    if not _settled(series):
        return ()
    living = [_known(item) for item in series.versions]
    names = {known.file for known in living}
    lost = [Known(f.split(".")[0], f) for f in series.recorded if f not in names]
    every = sorted([*living, *(lost if series.deployments else ())], key=lambda known: known.number)
    counted = [known.number for known in every if not _rejected(known)]
    oldest = counted[-policy.versions] if len(counted) >= policy.versions else 0
    needed = _needed(series)
    return tuple(
        known
        for known in every
        if known.number < oldest
        and known.name not in needed
        and _trained(known)
        and (known.born is None or now - known.born > policy.min_age)
    )


def referenced(
    files: Iterable[str], versions: Iterable[Object], deployments: Iterable[Object]
) -> frozenset[str]:
    """Digests (`recall.short`) that somebody may need: of recorded versions that are not retired
    (`files`, of all installations), of living ones, and of what Deployments remember."""
    found = {name.split(".")[1] for name in files if name.count(".") >= 2}
    found |= {short(item["spec"]["artifact"]["digest"]) for item in versions}
    for item in deployments:
        status = item.get("status") or {}
        entries = [status.get("stable"), status.get("candidate"), status.get("rollout")]
        found |= {short(e["digest"]) for e in (*entries, *status.get("rolledBack", ())) if e}
    return frozenset(found)


def _settled(series: Series) -> bool:
    running = any(
        (job.get("status") or {}).get("phase") in (None, "Pending", "Running")
        for job in series.jobs
    )
    stable = all((item.get("status") or {}).get("stable") for item in series.deployments)
    return stable and not running


def _needed(series: Series) -> frozenset[str]:
    best = champion(read_versions(series.versions, series.model), series.deployments)
    names = {best.name} if best is not None else set()
    for item in series.deployments:
        names |= set(_named(item))
    for item in series.versions:
        if KEEP in (item["metadata"].get("annotations") or {}):
            names.add(item["metadata"]["name"])
    return frozenset(names)


def _named(deployment: Object) -> Iterator[str]:
    status = deployment.get("status") or {}
    yield deployment["spec"].get("version", "latest")
    for served in (status.get("stable"), status.get("candidate")):
        if served:
            yield served["name"]
    if status.get("rollout"):
        yield status["rollout"]["candidate"]
    for entry in (*status.get("rolledBack", ()), *status.get("history", ())):
        yield entry["version"]


def _known(item: Object) -> Known:
    meta, spec = item["metadata"], item["spec"]
    recipe = (spec.get("lineage") or {}).get("recipeDigest", "")
    return Known(meta["name"], version_file(meta["name"], spec["artifact"]["digest"], recipe), item)


def _trained(known: Known) -> bool:
    """Made by Pawl: Git would only bring back what somebody wrote."""
    if known.item is None:
        return not known.file.endswith(_IMPORT)
    return (known.item["metadata"].get("labels") or {}).get(LABEL_MANAGED_BY) == "pawl"


def _rejected(known: Known) -> bool:
    return known.item is not None and known.item.get("status", {}).get("stage") == "Rejected"
