"""What holds of the ModelVersions of one model, taken together: order, stage, champion.

Champion is the version that a Deployment with `version: latest` has promoted last (a pin never
moves it); without such a Deployment it is the newest version that may be served.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pawl.api.modelversion import ModelVersion, ModelVersionSpec, Stage
from pawl.artifacts.runs import StoreRef

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Version:
    """A ModelVersion as the planners look at it."""

    name: str
    namespace: str
    spec: ModelVersionSpec
    verified: bool | None  # None: not tried yet
    failure: str = ""  # why it is not verified

    @property
    def number(self) -> int:
        """Its number in the series."""
        return self.spec.version

    @property
    def gates_passed(self) -> bool:
        """Every required gate passed (a hand-written version may have none)."""
        return all(gate.verdict == "Pass" for gate in self.spec.gates or () if gate.required)

    @property
    def approved(self) -> bool:
        """Nobody has to approve it any more."""
        return self.spec.approval in ("Automatic", "Approved")

    @property
    def rejected(self) -> bool:
        """It will never be served by `latest`."""
        return self.spec.approval == "Rejected" or not self.gates_passed or self.verified is False

    @property
    def servable(self) -> bool:
        """`latest` may serve it."""
        return bool(self.verified) and self.approved and not self.rejected

    @property
    def run_key(self) -> str | None:
        """`<TrainingJob uid>-<run>`, when a run made it."""
        job = self.spec.lineage.training_job if self.spec.lineage else None
        return f"{job.uid}-{job.run}" if job else None

    def reference(self) -> StoreRef:
        """Where its bytes are."""
        artifact = self.spec.artifact
        return StoreRef(name=self.name, uri=artifact.uri, digest=artifact.digest)


def read_versions(objects: Iterable[Object], model: str) -> tuple[Version, ...]:
    """The versions of a model, oldest first. Objects that do not parse are left out: a version
    that nobody can read can be neither served nor compared with."""
    found = []
    for item in objects:
        if item.get("spec", {}).get("model") != model:
            continue
        try:
            parsed = ModelVersion.model_validate(item)
        except ValidationError:
            continue
        found.append(_version(item, parsed))
    return tuple(sorted(found, key=lambda version: version.number))


def _version(item: Object, parsed: ModelVersion) -> Version:
    meta = item["metadata"]
    condition = next((c for c in parsed.status.conditions if c.type == "ArtifactVerified"), None)
    known = condition is not None and condition.status != "Unknown"
    if known and condition is not None and condition.status == "True":
        # A digest is only as good as the one it was compared with.
        known = parsed.status.verified_digest == parsed.spec.artifact.digest
    return Version(
        name=meta["name"],
        namespace=meta["namespace"],
        spec=parsed.spec,
        verified=(condition.status == "True") if known and condition is not None else None,
        failure=condition.message if condition is not None else "",
    )


def newest_servable(versions: Iterable[Version]) -> Version | None:
    """The newest version that `latest` may serve."""
    return max((v for v in versions if v.servable), key=lambda v: v.number, default=None)


def champion(versions: tuple[Version, ...], deployments: Iterable[Object]) -> Version | None:
    """The champion of a model in a namespace (see the module docstring)."""
    by_name = {version.name: version for version in versions}
    promoted: list[tuple[str, str]] = []
    follows = False
    for deployment in deployments:
        if deployment.get("spec", {}).get("version", "latest") != "latest":
            continue
        follows = True
        stable = deployment.get("status", {}).get("stable")
        if stable:
            promoted.append((stable.get("since") or "", stable["name"]))
    for _, name in sorted(promoted, reverse=True):
        if name in by_name and not by_name[name].rejected:
            return by_name[name]
    return None if follows and promoted else newest_servable(versions)


def undecided(
    versions: Iterable[Object], deployments: Iterable[Object], *, above: int = -1
) -> bool:
    """Whether `champion` guesses: nobody has looked yet at a Deployment that may have promoted one,
    or at a version with a higher number than `above`, since it came or its status was lost, or the
    record of a Deployment cannot be read."""
    following = [
        item.get("status") or {}
        for item in deployments
        if item.get("spec", {}).get("version", "latest") == "latest" and _lives(item)
    ]
    silent = [status for status in following if not status.get("stable")]
    if any(map(_is_unknown, silent)):
        return True
    guesses = len(silent) == len(following)
    return guesses and any(
        item.get("spec", {}).get("version", 0) > above and _is_new(item.get("status") or {})
        for item in versions
        if _lives(item)
    )


def _lives(item: Object) -> bool:
    return "deletionTimestamp" not in item["metadata"]


def _is_new(status: Object) -> bool:
    return int(status.get("observedGeneration", -1)) < 0


def _is_unknown(status: Object) -> bool:
    """Of a Deployment without a stable version."""
    waits = (c.get("reason") for c in status.get("conditions", ()) if c["type"] == "Available")
    return _is_new(status) or "StoreUnreachable" in waits


def stage(version: Version, best: Version | None) -> Stage:
    """Where one version stands, given the champion."""
    if version.rejected:
        return "Rejected"
    if best is not None and version.name == best.name:
        return "Champion"
    if version.verified is None:
        return "Pending"
    if best is not None and version.number < best.number:
        return "Archived"
    return "Candidate"
