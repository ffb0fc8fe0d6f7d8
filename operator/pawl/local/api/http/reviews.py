"""Reviews of authentication and authorization."""

from __future__ import annotations

from typing import Any

from pawl.local.api import errors
from pawl.local.api.http.discovery import REVIEWS
from pawl.local.api.rbac import Rights
from pawl.local.api.users import ADMIN, MASTERS, User
from pawl.local.schema.cel.authz import Question

Obj = dict[str, Any]
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


def answer(
    group: str, version: str, kind: str, review: Obj, token: str, user: User, rights: Rights
) -> Obj:
    """The review with its status, as `user` asks for it. ApiError 400 when it is of another kind,
    403 for what is not about himself and not his to ask."""
    api_version = f"{group}/{version}"
    if review.get("kind", kind) != kind or review.get("apiVersion", api_version) != api_version:
        raise errors.bad_request(
            f"the API version in the data ({review.get('apiVersion')}) does not match the expected "
            f"API version ({api_version})"
        )
    spec = review.get("spec") or {}
    match kind:
        case "SelfSubjectRulesReview":
            status = _rules(user, rights, spec.get("namespace") or "")
        case "SelfSubjectReview":
            status = {"userInfo": user.info()}
        case "SelfSubjectAccessReview":
            status = _access(user, spec, rights)
        case "TokenReview":
            _may_review(user, rights, group, "tokenreviews")
            known = spec.get("token") == token
            status = {"authenticated": True, "user": ADMIN.info()} if known else {"user": {}}
        case _:
            _may_review(user, rights, group, f"{kind.lower()}s")
            who = User(
                spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""),
                spec.get("extra") or {},
            )  # fmt: skip
            status = _access(who, spec, rights)
    return {
        "kind": kind,
        "apiVersion": api_version,
        "metadata": {},
        "spec": spec,
        "status": status,
    }


def _access(user: User, spec: Obj, rights: Rights) -> Obj:
    """The status of an access review."""
    asked, other = spec.get("resourceAttributes") or {}, spec.get("nonResourceAttributes") or {}
    names = ("verb", "group", "resource", "subresource", "namespace", "name")
    if other:
        question = Question(other.get("verb", ""), path=other.get("path", ""))
    else:
        question = Question(**{name: asked.get(name) or "" for name in names})
    return {"allowed": rights.decide(user, question).allowed}


def _rules(user: User, rights: Rights, namespace: str) -> Obj:
    if MASTERS in user.groups:
        return dict(_EVERYTHING)
    found: Obj = {"resourceRules": [], "nonResourceRules": [], "incomplete": False}
    for rule in rights.rules(user, namespace):
        found["nonResourceRules" if rule.get("nonResourceURLs") else "resourceRules"].append(rule)
    return found


def _may_review(user: User, rights: Rights, group: str, plural: str) -> None:
    if not rights.decide(user, Question("create", group, plural)).allowed:
        why = f'User "{user.name}" cannot create resource "{plural}" in API group "{group}"'
        raise errors.forbidden(group, plural, "", f"{why} at the cluster scope")
