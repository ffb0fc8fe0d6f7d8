"""What the parts of the configuration must spell alike."""

from __future__ import annotations

from typing import Any

TYPE = "type.googleapis.com/envoy"
ROUTES = "models"
#: Answered by a router with TLS itself, to whoever has shaken hands.
READY = "/pawl/ready"
#: Replaced by what the router itself says; whatever a client sends is removed.
OWN_HEADERS = "x-pawl-"
#: Bytes of a body. A larger one than LARGE streams through the router: it is neither retried nor
#: copied, because a stream goes as slowly as the slowest who reads it, be it a shadow.
SMALL, LARGE = 64 * 1024, 1024 * 1024


def by_weight(version: int) -> str:
    """The cluster of a version for the requests that are given to it by weight. Its counters are
    of a random sample, so that versions can be compared by them."""
    return f"v{version}"


def direct(version: int) -> str:
    """The cluster for the other requests: those that name the version, feedback, metadata. A
    request that is hashed meets the same pod through every router."""
    return f"v{version}-direct"


def shadow(version: int) -> str:
    """The cluster for copies: it may use little, and what becomes of them is nobody's trouble."""
    return f"v{version}-shadow"


def large_shadow(version: int) -> str:
    """The cluster for copies with a large body: few at a time."""
    return f"v{version}-shadow-large"


def assignment(name: str, address: dict[str, Any]) -> dict[str, Any]:
    """A cluster's only endpoint."""
    endpoint = {"lb_endpoints": [{"endpoint": {"address": address}}]}
    return {"cluster_name": name, "endpoints": [endpoint]}
