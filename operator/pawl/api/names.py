"""Names of what Pawl creates: DNS labels, truncated with a hash where they would be too long."""

from __future__ import annotations

import hashlib
import re

_VERSION_NAME = re.compile(r"^(?P<model>[a-z0-9][-a-z0-9]*)-v(?P<number>[0-9]+)$")


def child_name(*parts: str, limit: int = 63) -> str:
    """`parts` joined by `-`. Over `limit` characters the head is cut and a hash of the whole is
    added, so that two different long names stay different.

    >>> child_name("churn", "v7")
    'churn-v7'
    """
    name = "-".join(parts)
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: limit - 9].rstrip('-.')}-{digest}"


def version_name(model: str, number: int) -> str:
    """The name of a ModelVersion."""
    return f"{model}-v{number}"


def version_number(name: str) -> int:
    """The number in the name of a ModelVersion. Raises ValueError when there is none."""
    match = _VERSION_NAME.match(name)
    if match is None:
        raise ValueError(f"{name!r} is not the name of a ModelVersion")
    return int(match["number"])
