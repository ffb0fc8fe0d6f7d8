"""The policies in force, and what they say of a write.

A policy is in force with each of its bindings from the moment in which both are stored. Kinds of
admission itself are never judged, so that a policy that refuses everything can be removed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pawl.local.api import errors
from pawl.local.api.admission import matching, scope
from pawl.local.api.admission.attempt import Attempt
from pawl.local.api.admission.policy import Compiler, Policy, Refusal
from pawl.local.api.resources import Resource
from pawl.local.api.users import User, account
from pawl.local.schema.cel.authz import Authorizer, Question, ResourceCheck

if TYPE_CHECKING:
    from pawl.local.api.registry import Registry

log = logging.getLogger(__name__)
Obj = dict[str, Any]
GROUP = "admissionregistration.k8s.io"
POLICIES = f"{GROUP}/validatingadmissionpolicies"
BINDINGS = f"{GROUP}/validatingadmissionpolicybindings"
_CODES = {
    "Forbidden": HTTPStatus.FORBIDDEN,
    "RequestEntityTooLarge": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}


class Admission:
    """Keeps step with the stored policies and bindings."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._policies: dict[str, Policy] = {}
        self._bindings: dict[str, Obj] = {}
        registry.on_write(POLICIES, self._policy)
        registry.on_write(BINDINGS, self._binding)
        #: Policies with their bindings, in the order of their names.
        self._in_force: list[tuple[Policy, list[Obj]]] = []

    def judge(self, attempt: Attempt) -> list[str]:
        """Warnings for the client. ApiError 403, 413, 422 for a write that is refused."""
        if attempt.resource.group == GROUP:
            return []
        warnings: list[str] = []
        denied: list[tuple[str, Refusal]] = []
        for policy, bindings in self._in_force:
            matched = matching.match(self._registry, policy.match, attempt)
            if matched is None:
                continue
            for binding, refusal in self._refusals(policy, bindings, attempt, matched):
                who = f"ValidatingAdmissionPolicy '{policy.name}' with binding "
                who += f"'{binding['metadata']['name']}'"
                for action in binding["spec"]["validationActions"]:
                    if action == "Deny":
                        denied.append((f"{who} denied request: {refusal.message}", refusal))
                    elif action == "Warn":
                        warnings.append(f"Validation failed for {who}: {refusal.message}")
                    else:
                        log.info("audit: validation failed for %s: %s", who, refusal.message)
        if denied:
            raise _refused(attempt, *denied[0])
        return warnings

    def __bool__(self) -> bool:
        """Whether there is anything that could refuse a write."""
        return bool(self._in_force)

    def _refusals(
        self, policy: Policy, bindings: list[Obj], attempt: Attempt, matched: Resource
    ) -> Iterator[tuple[Obj, Refusal]]:
        activation: Obj | None = None
        for binding in bindings:
            limits = binding["spec"].get("matchResources")
            if limits and matching.match(self._registry, limits, attempt) is None:
                continue
            activation = activation or self._activation(attempt, matched)
            for refusal in policy.judge(activation):
                yield binding, refusal

    def _activation(self, attempt: Attempt, matched: Resource) -> Obj:
        authorizer = self._authorizer(attempt.user)
        at = Question(
            "", attempt.resource.group, attempt.resource.plural, attempt.subresource,
            attempt.place, attempt.name,
        )  # fmt: skip
        return {
            "object": attempt.seen(attempt.obj, matched),
            "oldObject": attempt.seen(attempt.old, matched),
            "request": scope.request(attempt, matched),
            "namespaceObject": scope.namespace(matching.namespace_of(self._registry, attempt)),
            "authorizer": authorizer,
            "authorizer.requestResource": ResourceCheck(authorizer, at),
        }

    def _authorizer(self, user: User) -> Authorizer:
        return Authorizer(
            lambda question: self._registry.rights.decide(user, question),
            lambda namespace, name: self._authorizer(account(namespace, name)),
        )

    def _policy(self, _resource: Resource, old: Obj | None, new: Obj | None) -> None:
        name = ((new or old) or {})["metadata"]["name"]
        self._policies.pop(name, None)
        if new is not None:
            self._policies[name] = Compiler().policy(name, new["spec"])
        self._arrange()

    def _binding(self, _resource: Resource, old: Obj | None, new: Obj | None) -> None:
        name = ((new or old) or {})["metadata"]["name"]
        self._bindings.pop(name, None)
        if new is not None:
            self._bindings[name] = new
        self._arrange()

    def _arrange(self) -> None:
        bound: dict[str, list[Obj]] = {}
        for _, binding in sorted(self._bindings.items()):
            bound.setdefault(binding["spec"]["policyName"], []).append(binding)
        self._in_force = [
            (policy, bound[name])
            for name, policy in sorted(self._policies.items())
            if name in bound
        ]


def _refused(attempt: Attempt, why: str, refusal: Refusal) -> errors.ApiError:
    resource = attempt.resource
    error = errors.forbidden(resource.group, resource.plural, attempt.name, why)
    error.reason = refusal.reason
    error.code = _CODES.get(refusal.reason, HTTPStatus.UNPROCESSABLE_ENTITY)
    error.details = {**(error.details or {}), "causes": [{"message": why}]}
    return error
