"""Which version a Deployment should serve, given what it serves and what there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pawl.api.deployment import DeploymentSpec, ServedVersion
from pawl.core.reasons import Reason
from pawl.core.versions import Version, newest_servable


@dataclass(frozen=True)
class Target:
    """`version` None: nothing can be served yet. `reason` is empty when all is as wanted;
    `stalled` says that somebody has to change something."""

    version: ServedVersion | None
    reason: Reason | Literal[""] = ""
    message: str = ""
    stalled: bool = False


def resolve(
    spec: DeploymentSpec,
    stable: ServedVersion | None,
    versions: tuple[Version, ...],
    withdrawn: Mapping[str, str],
    history: Sequence[str] | None = None,
) -> Target:
    """A pin is followed wherever it points; `latest` goes forward, and back only when the stable
    version has decayed: then to what was served last before it (`history`, newest first). Neither
    goes to a version in `withdrawn`, whose rollout failed (name -> why)."""
    if spec.version == "latest":
        if stable is None or history is None:
            return _latest(spec, stable, versions, withdrawn)
        return _back(stable, versions, withdrawn, history)
    return _pinned(spec, stable, versions, withdrawn)


def _pinned(
    spec: DeploymentSpec,
    stable: ServedVersion | None,
    versions: tuple[Version, ...],
    withdrawn: Mapping[str, str],
) -> Target:
    if spec.version in withdrawn and stable is not None:
        message = f"{spec.version} was rolled back: {withdrawn[spec.version]}; change the spec or "
        return Target(stable, "RolledBack", message + f"run `pawl retry` ({spec.version})", True)
    pinned = next((version for version in versions if version.name == spec.version), None)
    if pinned is None:
        lost = stable is not None and stable.name == spec.version
        message = f"there is no ModelVersion {spec.version}"
        message = f"{spec.version} was deleted and is still served" if lost else message
        return Target(stable, "VersionDeleted" if lost else "VersionNotFound", message, True)
    if pinned.verified is False:
        return Target(stable, "ArtifactInvalid", f"{pinned.name}: {pinned.failure}", True)
    if pinned.verified is None:
        return Target(stable, "Verifying", f"the artifact of {pinned.name} is being read")
    return Target(served(pinned))


def _back(
    stable: ServedVersion,
    versions: tuple[Version, ...],
    withdrawn: Mapping[str, str],
    history: Sequence[str],
) -> Target:
    """A newer version than the one that has decayed, else the one before it."""
    known = {v.name: v for v in versions if v.servable and v.name not in withdrawn}
    newer = newest_servable(v for v in known.values() if v.number > stable.version)
    if newer is not None:
        return Target(served(newer))
    before = next((known[name] for name in history if name in known), None)
    if before is None:
        message = f"{stable.name} should not be served, but there is no version before it"
        return Target(stable, "NoVersion", message, True)
    return Target(served(before))


def _latest(
    spec: DeploymentSpec,
    stable: ServedVersion | None,
    versions: tuple[Version, ...],
    withdrawn: Mapping[str, str],
) -> Target:
    best = newest_servable(version for version in versions if version.name not in withdrawn)
    if best is not None and (stable is None or best.number >= stable.version):
        return Target(served(best))
    if stable is None:
        message = f"no version of {spec.model} may be served yet"
        open_ones = [version.name for version in versions if not version.rejected]
        if open_ones:
            message += "; waiting for verification or approval: " + ", ".join(open_ones[-3:])
        return Target(None, "NoVersion", message)
    version = next((version for version in versions if version.name == stable.name), None)
    if version is None:
        message = f"{stable.name} was deleted and is still served; pin another version"
        return Target(stable, "VersionDeleted", message, True)
    if version.rejected:
        message = f"{stable.name} is rejected and is still served; pin another version"
        return Target(stable, "VersionRejected", message, True)
    return Target(stable)


def served(version: Version) -> ServedVersion:
    """All that is needed to serve it."""
    artifact = version.spec.artifact
    return ServedVersion(
        name=version.name,
        version=version.number,
        uri=artifact.uri,
        digest=artifact.digest,
        format=artifact.format,
    )
