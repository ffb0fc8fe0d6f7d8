"""Reviews of authentication and authorization: whoever has the token may do everything."""

from __future__ import annotations

from typing import Any

from pawl.local.api import errors
from pawl.local.api.http.discovery import REVIEWS

Obj = dict[str, Any]
USER = {"username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"]}
_EVERYTHING = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}


def kind_at(path: str) -> tuple[str, str, str] | None:
    """Group, version and kind of the review that is created at a path."""
    parts = path.strip("/").split("/")
    if parts[0] != "apis" or len(parts) < 4:
        return None
    group, version, rest = parts[1], parts[2], parts[3:]
    namespaced = len(rest) == 3 and rest[0] == "namespaces"
    for plural, kind, wants_namespace in REVIEWS.get((group, version), ()):
        if rest[-1] == plural and namespaced == wants_namespace and len(rest) in (1, 3):
            return group, version, kind
    return None


def answer(group: str, version: str, kind: str, review: Obj, token: str) -> Obj:
    """The review with its status. ApiError 400 when it is of another kind."""
    api_version = f"{group}/{version}"
    if review.get("kind", kind) != kind or review.get("apiVersion", api_version) != api_version:
        raise errors.bad_request(
            f"the API version in the data ({review.get('apiVersion')}) does not match the expected "
            f"API version ({api_version})"
        )
    spec = review.get("spec") or {}
    match kind:
        case "SelfSubjectRulesReview":
            status: Obj = dict(_EVERYTHING)
        case "SelfSubjectReview":
            status = {"userInfo": USER}
        case "TokenReview":
            known = spec.get("token") == token
            status = {"authenticated": True, "user": USER} if known else {"user": {}}
        case _:
            status = {"allowed": True}
    return {
        "kind": kind,
        "apiVersion": api_version,
        "metadata": {},
        "spec": spec,
        "status": status,
    }
