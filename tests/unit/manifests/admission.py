"""What a ValidatingAdmissionPolicy says about a request, by the CEL of the embedded cluster and
CEL's `authorizer` as kube-apiserver has it (apiserver/pkg/cel/library/authz.go)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pawl.local.schema import cel
from pawl.local.schema.cel.celtypes import DYN
from pawl.local.schema.cel.functions import declare

_NAMES = ("object", "oldObject", "request", "authorizer", "variables")


@dataclass(frozen=True)
class Asked:
    """What the authorizer is asked for, as it is put together."""

    may: Callable[[str, str, str, str], bool]  # verb, resource, namespace, name
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    cel_type = "authorizer"


@dataclass(frozen=True)
class Decision:
    """Its answer."""

    allowed: bool
    cel_type = "decision"


for _part in ("group", "resource", "namespace", "name"):
    declare(
        f"authorizer.{_part}(string) -> authorizer",
        lambda asked, value, part=_part: replace(asked, **{part: value}),
    )
declare(
    "authorizer.check(string) -> decision",
    lambda asked, verb: Decision(
        asked.group == "pawl.dev" and asked.may(verb, asked.resource, asked.namespace, asked.name)
    ),
)
declare("decision.allowed() -> bool", lambda decision: decision.allowed)


def problems(
    policy: Mapping[str, Any],
    rights: frozenset[str],
    resource: str,
    new: Mapping[str, Any],
    old: Mapping[str, Any] | None = None,
) -> list[str]:
    """The messages of the validations that do not hold for a user with `rights` (`verb resource`,
    in the namespace ml) who creates `new`, or makes it of `old`."""
    authorizer = Asked(
        lambda verb, what, namespace, name: (
            namespace == "ml" and name == new["metadata"]["name"] and f"{verb} {what}" in rights
        )
    )
    variables: dict[str, Any] = {}
    known = {
        "object": new,
        "oldObject": old,
        "authorizer": authorizer,
        "variables": variables,
        "request": {
            "operation": "CREATE" if old is None else "UPDATE",
            "resource": {"resource": resource, "group": "pawl.dev"},
            "namespace": "ml",
            "name": new["metadata"]["name"],
            "userInfo": {"username": "ada"},
        },
    }
    spec = policy["spec"]
    for variable in spec["variables"]:
        variables[variable["name"]] = _evaluate(variable["expression"], known)
    return [
        _evaluate(validation["messageExpression"], known)
        for validation in spec["validations"]
        if _evaluate(validation["expression"], known) is not True
    ]


def _evaluate(text: str, known: Mapping[str, Any]) -> Any:
    tree = cel.parse(text)
    cel.check(text, tree, dict.fromkeys(_NAMES, DYN))
    return cel.build(tree, frozenset(_NAMES))(known)
