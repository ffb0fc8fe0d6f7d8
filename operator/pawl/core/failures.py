"""Candidates whose rollouts were rolled back: which are remembered, and which are not tried again.

The list is bounded, and `latest` goes through all versions there are. So when it is full, its last
entry is the newest *version* of those that fell out of it, and stands for all up to that one.
"""

from __future__ import annotations

from collections.abc import Iterable

from pawl.api.names import version_number
from pawl.api.rollout_status import RolledBack
from pawl.core.commands import Commands
from pawl.core.versions import Version

MOST = 10
#: Why a version that was the stable one must not be: nothing was wrong with its rollout.
DECAYED = "PerformanceDecayed"

Failures = tuple[RolledBack, ...]


def remember(failures: Failures, new: RolledBack) -> Failures:
    """With one more, newest first."""
    found = (new, *failures)
    if len(found) <= MOST:
        return found
    kept, rest = found[: MOST - 1], found[MOST - 1 :]
    return (*kept, max(rest, key=lambda e: (e.generation, version_number(e.version), e.attempt)))


def withdrawn(
    failures: Failures, versions: Iterable[Version], generation: int, commands: Commands
) -> dict[str, str]:
    """Candidates that are not tried again, until spec or approval change or somebody says so: name
    -> why. `generation` is the Deployment's."""
    versions = tuple(versions)
    approvals = {version.name: version.spec.approval for version in versions}
    latest = {entry.version: entry for entry in sorted(failures, key=lambda e: e.attempt)}
    found = {
        name: entry.message
        for name, entry in latest.items()
        if entry.generation == generation
        and entry.approval == approvals.get(name, "")
        and not commands.retries(name, entry.attempt)
    }
    last = failures[-1] if len(failures) == MOST else None
    if last is not None and last.generation == generation:
        text = f"older than {last.version}, which was rolled back"
        older = (v.name for v in versions if v.number <= version_number(last.version))
        found |= {name: text for name in older if name not in latest}
    return found
