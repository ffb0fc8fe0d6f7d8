"""x-kubernetes-validations: compiling the rules of a schema, and running them over an object
(apiextensions-apiserver/pkg/apiserver/schema/cel).

A rule sees its node as `self`, and the old value as `oldSelf` where there is one to compare with
(through maps and lists of type map). A rule that mentions `oldSelf` is a transition rule: it runs
on updates only, unless `optionalOldSelf` is set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pawl.local.schema import causes, cel
from pawl.local.schema.causes import Cause
from pawl.local.schema.cel.celtypes import BOOL, STRING, Type, optional_of
from pawl.local.schema.cel.program import Program
from pawl.local.schema.cel.syntax import Ident
from pawl.local.schema.cel.syntax import Node as Tree
from pawl.local.schema.cel.values import NONE, Optional
from pawl.local.schema.correlate import NOTHING, at_item, at_key, unchanged
from pawl.local.schema.prune import additional
from pawl.local.schema.rule_types import declared, to_value, with_meta

Schema = dict[str, Any]
_MAX_MESSAGE = 5 * 1024
_NAMES = frozenset({"self", "oldSelf"})


@dataclass(frozen=True)
class Rule:
    """One compiled rule. `path` is its normalised fieldPath."""

    source: dict[str, Any]
    program: Program
    message: Program | None
    uses_old: bool
    path: str

    @property
    def optional_old(self) -> bool:
        return bool(self.source.get("optionalOldSelf"))

    @property
    def shown(self) -> str:
        return str(self.source.get("message") or self.source["rule"]).strip()


@dataclass
class Node:
    """The rules of a schema node and below it."""

    schema: Schema
    rules: list[Rule] = field(default_factory=list)
    items: Node | None = None
    rest: Node | None = None
    properties: dict[str, Node] = field(default_factory=dict)
    all_of: list[Node] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.rules or self.items or self.rest or self.properties or self.all_of)


def has_rules(schema: Any) -> bool:
    if isinstance(schema, dict):
        return bool(schema.get("x-kubernetes-validations")) or any(map(has_rules, schema.values()))
    return isinstance(schema, list) and any(map(has_rules, schema))


def compile_tree(schema: Schema, *, root: bool = True) -> Node:
    """The rules of a resource's schema. CompileError for one that does not compile (check_crd
    refuses such a schema before it gets here)."""
    full = with_meta(schema) if root else schema
    return _tree(full, full)


def _tree(source: Schema, spine: Schema) -> Node:
    """`source` has the rules, `spine` the types: they differ inside allOf."""
    node = Node(spine)
    kind = declared(spine)
    if kind is not None:
        for rule in source.get("x-kubernetes-validations") or ():
            if rule.get("rule", "").strip():
                node.rules.append(compile_rule(rule, kind, spine))
    for name, sub in source.get("properties", {}).items():
        if name in spine.get("properties", {}):
            inner = spine["properties"][name]
            embedded = inner.get("x-kubernetes-embedded-resource")
            below = _tree(sub, with_meta(inner) if embedded else inner)
            if below:
                node.properties[name] = below
    if isinstance(source.get("items"), dict) and isinstance(spine.get("items"), dict):
        node.items = _tree(source["items"], spine["items"]) or None
    rest = additional(source)
    if rest and additional(spine):
        node.rest = _tree(rest, additional(spine) or {}) or None
    node.all_of = [below for sub in source.get("allOf", ()) if (below := _tree(sub, spine))]
    return node


def compile_rule(rule: dict[str, Any], kind: Type, schema: Schema) -> Rule:
    """CompileError when the rule does not compile or does not give a bool."""
    tree = checked(rule["rule"], kind, rule, BOOL)
    message: Program | None = None
    if rule.get("messageExpression"):
        message = cel.build(checked(rule["messageExpression"], kind, rule, STRING), _NAMES)
    path = field_path(rule["fieldPath"], schema)[0] if rule.get("fieldPath") else ""
    return Rule(rule, cel.build(tree, _NAMES), message, mentions_old(tree), path)


def checked(text: str, kind: Type, rule: dict[str, Any], wanted: Type) -> Tree:
    """The checked tree of an expression over self and oldSelf. CompileError, or ValueError when it
    gives another type than wanted."""
    old = optional_of(kind) if rule.get("optionalOldSelf") else kind
    tree = cel.parse(text)
    found = cel.check(text, tree, {"self": kind, "oldSelf": old})
    if found != wanted:
        raise WrongResultError(found)
    return tree


class WrongResultError(ValueError):
    """An expression of another type than asked for."""


def mentions_old(node: Any) -> bool:
    """Does an expression speak of oldSelf?"""
    if isinstance(node, Ident):
        return node.name == "oldSelf"
    if isinstance(node, tuple):
        return any(map(mentions_old, node))
    return hasattr(node, "__dataclass_fields__") and any(
        mentions_old(getattr(node, name)) for name in node.__dataclass_fields__
    )


def field_path(text: str, schema: Schema) -> tuple[str, Schema]:
    """A rule's fieldPath (`.spec.x`, `['a-b']`) in the form of causes, and the schema it leads to.
    ValueError when it leads nowhere."""
    path = ""
    for name in _steps(text):
        if schema.get("properties") is not None:
            if name not in schema["properties"]:
                raise ValueError("does not refer to a valid field")
            path, schema = causes.child(path, name), schema["properties"][name]
        elif additional(schema) is not None:
            path, schema = causes.key(path, name), additional(schema) or {}
        else:
            raise ValueError("does not refer to a valid field")
    return path, schema


def _steps(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        if text[at] == "[":
            end = text.find("]", at)
            quoted = text[at + 1 : end]
            if end < 0:
                raise ValueError("unexpected end of JSON path")
            if len(quoted) < 2 or quoted[0] != "'" or quoted[-1] != "'":
                raise ValueError(f"expected single quoted string but got {quoted}")
            yield quoted[1:-1].replace("\\'", "'").replace("\\\\", "\\")
            at = end + 1
        elif text[at] == ".":
            end = min((p for p in (text.find(".", at + 1), text.find("[", at + 1)) if p >= 0),
                      default=len(text))  # fmt: skip
            yield text[at + 1 : end]
            at = end
        else:
            raise ValueError(f"expected [ or . but got: {text[at:]}")


def evaluate(root: Node, obj: Any, old: Any = None) -> list[Cause]:
    """The causes of all rules that do not hold."""
    before = NOTHING if old is None else old
    return list(_evaluate(root, obj, before, "", unchanged(obj, before, root.schema)))


def _evaluate(node: Node, obj: Any, old: Any, path: str, ratcheted: bool) -> Iterator[Cause]:
    """`ratcheted`: this value (or one around it) is unchanged, so failures that do not speak about
    the change are forgiven."""
    if obj is None:
        return
    if node.rules:
        yield from _own_rules(node, obj, old, path, ratcheted)
    for branch in node.all_of:
        yield from _evaluate(branch, obj, old, path, False)
    if isinstance(obj, dict):
        for name, item in obj.items():
            below = node.properties.get(name)
            place = causes.child(path, name)
            if below is None:
                if node.rest is None:
                    continue
                below, place = node.rest, causes.key(path, name)
            before = at_key(obj, old, name)
            forgiven = ratcheted or unchanged(item, before, below.schema)
            own_type = not path and name in ("apiVersion", "kind")
            yield from _evaluate(below, item, before, place, forgiven and not own_type)
    elif isinstance(obj, list) and node.items is not None:
        for at, item in enumerate(obj):
            before = at_item(item, old, node.schema)
            forgiven = ratcheted or unchanged(item, before, node.items.schema)
            yield from _evaluate(node.items, item, before, causes.index(path, at), forgiven)


def _own_rules(node: Node, obj: Any, old: Any, path: str, ratcheted: bool) -> Iterator[Cause]:
    schema = node.schema
    has_old = old is not NOTHING and old is not None
    variables: dict[str, Any] = {"self": to_value(obj, schema)}
    if any(rule.uses_old for rule in node.rules) and has_old:
        variables["oldSelf"] = to_value(old, schema)
    for rule in node.rules:
        if rule.uses_old and not has_old and not rule.optional_old:
            continue
        mine = variables
        if rule.optional_old:
            before = Optional(True, variables["oldSelf"]) if "oldSelf" in variables else NONE
            mine = {**variables, "oldSelf": before}
        cause = _failure(rule, mine, obj, schema, path)
        if cause is not None and not (ratcheted and not rule.uses_old and cause[1]):
            yield cause[0]


def _failure(
    rule: Rule, variables: dict[str, Any], obj: Any, schema: Schema, path: str
) -> tuple[Cause, bool] | None:
    """The cause, and whether the rule was evaluated (an error of evaluation is never forgiven)."""
    kind = schema.get("type", "")
    try:
        if rule.program(variables) is True:
            return None
    except cel.EvaluationError as error:
        text = str(error)
        if text.startswith("no such overload"):
            detail = (
                f"'{text}': call arguments did not match a supported operator, function or macro "
                f"signature for rule: {rule.shown}"
            )
        else:
            detail = f"{text} evaluating rule: {rule.shown}"
        return causes.invalid(path, kind, detail), False
    place = causes.child(path, rule.path) if rule.path else path
    value = causes.OMITTED if kind in ("object", "array") else obj
    return _cause_of(rule, place, value, _detail(rule, variables)), True


def _detail(rule: Rule, variables: dict[str, Any]) -> str:
    if rule.message is not None:
        try:
            text = str(rule.message(variables)).strip()
        except cel.EvaluationError:
            text = ""
        if text and "\n" not in text and len(text.encode()) <= _MAX_MESSAGE:
            return text
    message = rule.source.get("message")
    return message.strip() if message else f"failed rule: {rule.shown}"


def _cause_of(rule: Rule, path: str, value: Any, detail: str) -> Cause:
    reason = rule.source.get("reason")
    if reason == causes.FORBIDDEN:
        return causes.forbidden(path, detail)
    if reason == causes.REQUIRED:
        return causes.required(path, detail)
    if reason == causes.DUPLICATE:
        return causes.duplicate(path, value)
    return causes.invalid(path, value, detail)
