"""CEL's questions about rights (apiserver/pkg/cel/library/authz.go):

authorizer.group("apps").resource("deployments").namespace("ml").check("create").allowed()
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pawl.local.schema.cel.celtypes import (
    AUTHORIZER,
    DECISION,
    GROUP_CHECK,
    PATH_CHECK,
    RESOURCE_CHECK,
)
from pawl.local.schema.cel.functions import declare


@dataclass(frozen=True)
class Question:
    """May somebody do that? `path` alone, or what is about a resource; name and namespace may be
    empty."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


@dataclass(frozen=True)
class Decision:
    allowed: bool
    reason: str = ""
    cel_type = DECISION.name


@dataclass(frozen=True)
class Authorizer:
    """`decide` answers for one user; `account` gives the authorizer of a service account by
    namespace and name."""

    decide: Callable[[Question], Decision]
    account: Callable[[str, str], Authorizer]
    cel_type = AUTHORIZER.name


@dataclass(frozen=True)
class PathCheck:
    authorizer: Authorizer
    question: Question
    cel_type = PATH_CHECK.name


@dataclass(frozen=True)
class GroupCheck:
    authorizer: Authorizer
    question: Question
    cel_type = GROUP_CHECK.name


@dataclass(frozen=True)
class ResourceCheck:
    authorizer: Authorizer
    question: Question
    cel_type = RESOURCE_CHECK.name


def _path(authorizer: Authorizer, path: str) -> PathCheck:
    return PathCheck(authorizer, Question("", path=path))


def _group(authorizer: Authorizer, group: str) -> GroupCheck:
    return GroupCheck(authorizer, Question("", group=group))


def _resource(check: GroupCheck, resource: str) -> ResourceCheck:
    return ResourceCheck(check.authorizer, replace(check.question, resource=resource))


def _narrowed(field: str) -> Callable[[ResourceCheck, str], ResourceCheck]:
    def narrow(check: ResourceCheck, value: str) -> ResourceCheck:
        return replace(check, question=replace(check.question, **{field: value}))

    return narrow


def _check(check: PathCheck | ResourceCheck, verb: str) -> Decision:
    return check.authorizer.decide(replace(check.question, verb=verb))


declare("authorizer.path(string) -> path_check", _path)
declare("authorizer.group(string) -> group_check", _group)
declare("authorizer.serviceAccount(string, string) -> authorizer",
        lambda authorizer, namespace, name: authorizer.account(namespace, name))  # fmt: skip
declare("path_check.check(string) -> decision", _check)
declare("group_check.resource(string) -> resource_check", _resource)
declare("resource_check.subresource(string) -> resource_check", _narrowed("subresource"))
declare("resource_check.namespace(string) -> resource_check", _narrowed("namespace"))
declare("resource_check.name(string) -> resource_check", _narrowed("name"))
# RBAC does not look at selectors
declare("resource_check.fieldSelector(string) -> resource_check", lambda check, _selector: check)
declare("resource_check.labelSelector(string) -> resource_check", lambda check, _selector: check)
declare("resource_check.check(string) -> decision", _check)
declare("decision.allowed() -> bool", lambda decision: decision.allowed)
declare("decision.reason() -> string", lambda decision: decision.reason)
declare("decision.errored() -> bool", lambda _decision: False)
declare("decision.error() -> string", lambda _decision: "")
