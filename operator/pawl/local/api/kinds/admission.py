"""ValidatingAdmissionPolicies and their bindings (pkg/apis/admissionregistration/validation).
Parameters are refused: the embedded cluster gives policies none."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pawl.local.api import names, selectors
from pawl.local.api.admission.policy import Compiler
from pawl.local.api.kinds.base import Context, Obj
from pawl.local.api.kinds.builtin import BuiltinKind
from pawl.local.schema import causes
from pawl.local.schema.causes import Cause

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_ACTIONS = ("Audit", "Deny", "Warn")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_NO_PARAMETERS = "the embedded cluster has no parameters for policies"


class _AdmissionKind(BuiltinKind):
    generation = True

    def check_schema(self, obj: Obj, old: Obj | None, subresource: str) -> list[Cause]:
        """What is required is told by `validate`, in other words than those of a schema."""
        found = super().check_schema(obj, old, subresource)
        return [cause for cause in found if cause.field.startswith("metadata")]


class PolicyKind(_AdmissionKind):
    """ValidatingAdmissionPolicies."""

    has_status = True

    def __init__(self) -> None:
        super().__init__("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy")

    def default(self, obj: Obj) -> None:
        spec = obj.setdefault("spec", {})
        if spec.get("failurePolicy") is None:
            spec["failurePolicy"] = "Fail"
        _default_match(spec.get("matchConstraints"))

    def validate(self, context: Context, obj: Obj) -> list[Cause]:
        spec = obj["spec"]
        found: list[Cause] = []
        if spec.get("paramKind") is not None:
            found.append(causes.forbidden("spec.paramKind", _NO_PARAMETERS))
        if spec["failurePolicy"] not in ("Fail", "Ignore"):
            known = ("Fail", "Ignore")
            found.append(causes.not_supported("spec.failurePolicy", spec["failurePolicy"], known))
        if spec.get("matchConstraints") is None:
            found.append(causes.required("spec.matchConstraints"))
        else:
            found += _match(spec["matchConstraints"], "spec.matchConstraints")
            if not spec["matchConstraints"].get("resourceRules"):
                found.append(causes.required("spec.matchConstraints.resourceRules"))
        if not spec.get("validations") and not spec.get("auditAnnotations"):
            text = "validations or auditAnnotations must contain at least one item"
            found += [causes.required(f"spec.{key}", text)
                      for key in ("validations", "auditAnnotations")]  # fmt: skip
        found += [*_conditions(spec), *_variables(spec), *_validations(spec)]
        compiler = Compiler()
        compiler.policy(obj["metadata"].get("name", ""), spec)
        return found + compiler.found


class PolicyBindingKind(_AdmissionKind):
    """ValidatingAdmissionPolicyBindings."""

    def __init__(self) -> None:
        super().__init__("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding")

    def default(self, obj: Obj) -> None:
        _default_match(obj.setdefault("spec", {}).get("matchResources"))

    def validate(self, context: Context, obj: Obj) -> list[Cause]:
        spec = obj["spec"]
        found: list[Cause] = []
        if not spec.get("policyName"):
            found.append(causes.required("spec.policyName"))
        if spec.get("paramRef") is not None:
            found.append(causes.forbidden("spec.paramRef", _NO_PARAMETERS))
        if spec.get("matchResources") is not None:
            found += _match(spec["matchResources"], "spec.matchResources")
        return found + list(_actions(spec.get("validationActions") or []))


def _default_match(match: Obj | None) -> None:
    if match is None:
        return
    match.setdefault("matchPolicy", "Equivalent")
    for selector in ("namespaceSelector", "objectSelector"):
        match.setdefault(selector, {})
    for _, rule in _rules(match, ""):
        rule.setdefault("scope", "*")


def _rules(match: Obj, path: str) -> Iterator[tuple[str, Obj]]:
    for key in ("resourceRules", "excludeResourceRules"):
        for at, rule in enumerate(match.get(key) or ()):
            yield f"{path}.{key}[{at}]", rule


def _match(match: Obj, path: str) -> Iterator[Cause]:
    if match["matchPolicy"] not in ("Equivalent", "Exact"):
        known = ("Equivalent", "Exact")
        yield causes.not_supported(f"{path}.matchPolicy", match["matchPolicy"], known)
    for key in ("namespaceSelector", "objectSelector"):
        yield from selectors.validate(match[key], f"{path}.{key}")
    for at, rule in _rules(match, path):
        yield from _rule(rule, at)


def _rule(rule: Obj, path: str) -> Iterator[Cause]:
    operations = rule.get("operations") or []
    if not operations:
        yield causes.required(f"{path}.operations")
    if "*" in operations and len(operations) > 1:
        text = "if '*' is present, must not specify other operations"
        yield causes.invalid(f"{path}.operations", operations, text)
    for number, one in enumerate(operations):
        if one not in _OPERATIONS:
            yield causes.not_supported(f"{path}.operations[{number}]", one, _OPERATIONS)
    for key, noun in (("apiGroups", "API groups"), ("apiVersions", "API versions")):
        given = rule.get(key) or []
        if not given:
            yield causes.required(f"{path}.{key}")
        if "*" in given and len(given) > 1:
            text = f"if '*' is present, must not specify other {noun}"
            yield causes.invalid(f"{path}.{key}", given, text)
    yield from _resources(rule.get("resources") or [], f"{path}.resources")
    if rule["scope"] not in ("*", "Cluster", "Namespaced"):
        known = ("*", "Cluster", "Namespaced")
        yield causes.not_supported(f"{path}.scope", rule["scope"], known)


def _resources(resources: list[str], path: str) -> Iterator[Cause]:
    if not resources:
        yield causes.required(path)
    for at, one in enumerate(resources):
        if not one:
            yield causes.required(f"{path}[{at}]")
    if "*/*" in resources and len(resources) > 1:
        text = "if '*/*' is present, must not specify other resources"
        yield causes.invalid(path, resources, text)
    if "*" in resources and any("/" not in one for one in resources if one != "*"):
        text = "if '*' is present, must not specify other resources without subresources"
        yield causes.invalid(path, resources, text)


def _conditions(spec: Obj) -> Iterator[Cause]:
    seen: set[str] = set()
    for at, one in enumerate(spec.get("matchConditions") or ()):
        path = f"spec.matchConditions[{at}]"
        if not one.get("expression", "").strip():
            yield causes.required(f"{path}.expression")
        name = one.get("name", "")
        if not name:
            yield causes.required(f"{path}.name")
        else:
            problems = names.qualified_name(name)
            yield from (causes.invalid(f"{path}.name", name, text) for text in problems)
        if name in seen:
            yield causes.duplicate(f"{path}.name", name)
        seen.add(name)


def _variables(spec: Obj) -> Iterator[Cause]:
    for at, one in enumerate(spec.get("variables") or ()):
        path, name = f"spec.variables[{at}]", one.get("name", "")
        if not name:
            yield causes.required(f"{path}.name", "name is not specified")
        elif not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            yield causes.invalid(f"{path}.name", name, "must be a valid CEL identifier")
        if not one.get("expression", "").strip():
            yield causes.required(f"{path}.expression", "expression is not specified")


def _validations(spec: Obj) -> Iterator[Cause]:
    for at, one in enumerate(spec.get("validations") or ()):
        path, message = f"spec.validations[{at}]", one.get("message", "")
        if not one.get("expression", "").strip():
            yield causes.required(f"{path}.expression", "expression is not specified")
        if message and not message.strip():
            yield causes.invalid(f"{path}.message", message, "must be non-empty if specified")
        elif "\n" in message.strip() or "\r" in message.strip():
            yield causes.invalid(f"{path}.message", message, "must not contain line breaks")
        expression = one.get("messageExpression", "")
        if expression and not expression.strip():
            detail = "must be non-empty if specified"
            yield causes.invalid(f"{path}.messageExpression", expression, detail)
        if one.get("reason") is not None and one["reason"] not in _REASONS:
            yield causes.not_supported(f"{path}.reason", one["reason"], _REASONS)


def _actions(actions: list[str]) -> Iterator[Cause]:
    path = "spec.validationActions"
    if not actions:
        yield causes.required(path, "at least one validation action is required")
    for at, one in enumerate(actions):
        if one not in _ACTIONS:
            yield causes.not_supported(f"{path}[{at}]", one, _ACTIONS)
        if one in actions[:at]:
            yield causes.duplicate(f"{path}[{at}]", one)
    if {"Deny", "Warn"} <= set(actions):
        text = (
            "must not contain both Deny and Warn (repeating the same validation failure "
            "information in the API response and headers serves no purpose)"
        )
        yield causes.invalid(path, actions, text)
