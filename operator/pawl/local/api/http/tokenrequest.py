"""Tokens of service accounts (the subresource `token`, authentication.k8s.io/v1 TokenRequest).

The cluster has one token, and it opens everything. A service account that asks gets that one, which
lives as long as the cluster; the account `default`, which every pod has unasked, gets none.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pawl.local.api import errors, metadata
from pawl.local.schema import causes

Obj = dict[str, Any]
AUDIENCE = "https://kubernetes.default.svc.cluster.local"
_SHORTEST, _USUAL = 600, 3600  # seconds
_LONGEST = 2**32


def answer(account: Obj, request: Obj, token: str) -> Obj:
    """The TokenRequest with its status. ApiError 403, 422."""
    meta = account["metadata"]
    if meta["name"] == "default":
        why = "the embedded cluster issues no token for the service account default"
        raise errors.forbidden("", "serviceaccounts/token", "default", why)
    spec = request.get("spec") or {}
    asked = spec.get("expirationSeconds")
    seconds = _USUAL if asked is None else asked
    if not isinstance(seconds, int) or seconds < _SHORTEST or seconds > _LONGEST:
        short = isinstance(seconds, int) and seconds < _SHORTEST
        text = f"may not specify a duration {'less than 10 minutes' if short else 'that long'}"
        cause = causes.invalid("spec.expirationSeconds", seconds, text)
        raise errors.invalid("authentication.k8s.io", "TokenRequest", "", [cause])
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "creationTimestamp": metadata.stamp(datetime.now(UTC)),
        },
        "spec": {
            **spec,
            "audiences": spec.get("audiences") or [AUDIENCE],
            "expirationSeconds": seconds,
        },
        "status": {"token": token, "expirationTimestamp": metadata.stamp(until)},
    }
