"""Is a rule of x-kubernetes-validations acceptable: its texts, and does it compile?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pawl.local.schema import causes, cel, rules
from pawl.local.schema.causes import Cause
from pawl.local.schema.cel.celtypes import BOOL, STRING
from pawl.local.schema.rule_types import declared

Schema = dict[str, Any]
_REASONS = (causes.DUPLICATE, causes.FORBIDDEN, causes.INVALID, causes.REQUIRED)


def rule_texts(rule: dict[str, Any], schema: Schema, path: str) -> Iterator[Cause]:
    """What a rule says besides its expression."""
    text, message = rule.get("rule", "").strip(), rule.get("message", "")
    if not text:
        yield causes.required(f"{path}.rule", "rule is not specified")
    elif message and not message.strip():
        yield causes.invalid(f"{path}.message", message, "must be non-empty if specified")
    elif _has_newlines(message.strip()):
        yield causes.invalid(f"{path}.message", message, "must not contain line breaks")
    elif _has_newlines(text) and not message.strip():
        detail = "message must be specified if rule contains line breaks"
        yield causes.required(f"{path}.message", detail)
    expression = rule.get("messageExpression", "")
    if expression and not expression.strip():
        detail = "messageExpression must be non-empty if specified"
        yield causes.required(f"{path}.messageExpression", detail)
    if rule.get("reason") is not None and rule["reason"] not in _REASONS:
        yield causes.not_supported(f"{path}.reason", rule["reason"], _REASONS)
    where = rule.get("fieldPath", "")
    if where and not where.strip():
        yield causes.invalid(f"{path}.fieldPath", where, "must be non-empty if specified")
    elif where:
        try:
            rules.field_path(where, schema)
        except ValueError:
            yield causes.invalid(f"{path}.fieldPath", where, "must be a valid path")


def _has_newlines(text: str) -> bool:
    return "\n" in text or "\r" in text


def check_rule(rule: dict[str, Any], schema: Schema, path: str, no_old: str) -> Iterator[Cause]:
    """Does a rule compile against the schema node it belongs to?"""
    kind = declared(schema)
    if kind is None:
        detail = "internal error: failed to retrieve type information for x-kubernetes-validations"
        yield Cause("InternalError", f"Internal error: {detail}", path.rpartition("[")[0])
        return
    mentions_old = False
    for key, wanted, noun in (
        ("rule", BOOL, ""),
        ("messageExpression", STRING, "messageExpression "),
    ):
        if not rule.get(key):
            continue
        try:
            tree = rules.checked(rule[key], kind, rule, wanted)
        except cel.CompileError as error:
            detail = f"{noun}compilation failed: {error}"
            yield _bad_rule(rule, f"{path}.{key}", detail)
            return
        except rules.WrongResultError:
            detail = "cel expression must evaluate to a bool"
            if key == "messageExpression":
                detail = "messageExpression must evaluate to a string"
            yield _bad_rule(rule, f"{path}.{key}", detail)
            return
        if key == "rule":
            mentions_old = rules.mentions_old(tree)
    if mentions_old and no_old:
        detail = (
            f"oldSelf cannot be used on the uncorrelatable portion of the schema within {no_old}"
        )
        yield causes.invalid(f"{path}.rule", rule["rule"], detail)
    if not mentions_old and rule.get("optionalOldSelf") is not None:
        detail = "may not be set if oldSelf is not used in rule"
        yield causes.invalid(f"{path}.optionalOldSelf", rule["optionalOldSelf"], detail)


def _bad_rule(rule: dict[str, Any], path: str, detail: str) -> Cause:
    """The value is printed as Go's internal struct is marshalled."""
    shown = {
        "Rule": rule.get("rule", ""),
        "Message": rule.get("message", ""),
        "MessageExpression": rule.get("messageExpression", ""),
        "Reason": rule.get("reason"),
        "FieldPath": rule.get("fieldPath", ""),
        "OptionalOldSelf": rule.get("optionalOldSelf"),
    }
    text = json.dumps(shown, separators=(",", ":"), ensure_ascii=False)
    for char, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(char, escaped)
    return Cause(causes.INVALID, f"Invalid value: {text}: {detail}", path)
