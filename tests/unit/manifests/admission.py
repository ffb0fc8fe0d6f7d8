"""What a ValidatingAdmissionPolicy says about a request, by the embedded cluster's enforcement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pawl.local.api.admission.policy import Compiler
from pawl.local.schema.cel.authz import Authorizer, Decision, Question


def problems(
    policy: Mapping[str, Any],
    rights: frozenset[str],
    resource: str,
    new: Mapping[str, Any],
    old: Mapping[str, Any] | None = None,
) -> list[str]:
    """The messages of the validations that do not hold for a user with `rights` (`verb resource`,
    in the namespace ml) who creates `new`, or makes it of `old`."""
    name = new["metadata"]["name"]

    def decide(asked: Question) -> Decision:
        wanted = Question(asked.verb, "pawl.dev", asked.resource, "", "ml", name)
        return Decision(asked == wanted and f"{asked.verb} {asked.resource}" in rights)

    compiler = Compiler()
    compiled = compiler.policy(policy["metadata"]["name"], dict(policy["spec"]))
    assert not compiler.found
    authorizer = Authorizer(decide, lambda _namespace, _name: authorizer)
    found = compiled.judge(
        {
            "object": new,
            "oldObject": old,
            "authorizer": authorizer,
            "request": {
                "operation": "CREATE" if old is None else "UPDATE",
                "resource": {"resource": resource, "group": "pawl.dev"},
                "namespace": "ml",
                "name": name,
                "userInfo": {"username": "ada"},
            },
        }
    )
    return [refusal.message for refusal in found]
