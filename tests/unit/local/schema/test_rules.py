"""x-kubernetes-validations over whole objects: messages, old values, ratcheting."""

from typing import Any

import pytest

from pawl.local.schema.structural import Structural


def structural(spec: dict[str, Any], **keywords: Any) -> Structural:
    node = {"type": "object", "properties": spec, **keywords}
    return Structural({"type": "object", "properties": {"spec": node}})


def complaints(schema: Structural, spec: Any, old: Any = None) -> list[str]:
    before = {"spec": old} if old is not None else None
    return [f"{c.reason} {c}" for c in schema.validate({"spec": spec}, before)]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(
            {"rule": "self.a > 1"},
            "FieldValueInvalid spec: Invalid value: failed rule: self.a > 1",
            id="without-a-message",
        ),
        pytest.param(
            {"rule": "self.a > 1", "message": " too small "},
            "FieldValueInvalid spec: Invalid value: too small",
            id="message",
        ),
        pytest.param(
            {"rule": "self.a > 1", "messageExpression": "'a is ' + string(self.a)"},
            "FieldValueInvalid spec: Invalid value: a is 1",
            id="message-expression",
        ),
        pytest.param(
            {"rule": "self.a > 1", "messageExpression": "string(1 / (self.a - 1))", "message": "m"},
            "FieldValueInvalid spec: Invalid value: m",
            id="message-expression-that-fails",
        ),
        pytest.param(
            {"rule": "self.a > 1", "message": "no", "reason": "FieldValueForbidden"},
            "FieldValueForbidden spec: Forbidden: no",
            id="forbidden",
        ),
        pytest.param(
            {"rule": "self.a > 1", "message": "no", "reason": "FieldValueRequired",
             "fieldPath": ".a"},
            "FieldValueRequired spec.a: Required value: no",
            id="reason-and-field-path",
        ),
        pytest.param(
            {"rule": "self.b > 1"},
            'FieldValueInvalid spec: Invalid value: "object": no such key: b evaluating rule: '
            "self.b > 1",
            id="missing-key",
        ),
        pytest.param(
            {"rule": "self.any > 1"},
            "FieldValueInvalid spec: Invalid value: \"object\": 'no such overload': call arguments "
            "did not match a supported operator, function or macro signature for rule: "
            "self.any > 1",
            id="no-overload",
        ),
    ],
)  # fmt: skip
def test_a_rule_that_does_not_hold(rule: dict[str, Any], expected: str) -> None:
    fields = {
        "a": {"type": "integer"},
        "b": {"type": "integer"},
        "any": {"x-kubernetes-int-or-string": True},
    }
    schema = structural(fields, **{"x-kubernetes-validations": [rule]})
    assert complaints(schema, {"a": 1, "any": "x"}) == [expected]
    assert complaints(schema, {"a": 2, "b": 2, "any": 2}) == []


def test_a_rule_of_a_scalar_shows_the_value() -> None:
    rule = {"rule": "self.startsWith('x')", "message": "must start with x"}
    schema = structural({"s": {"type": "string", "x-kubernetes-validations": [rule]}})
    assert complaints(schema, {"s": "ab"}) == [
        'FieldValueInvalid spec.s: Invalid value: "ab": must start with x'
    ]


def test_rules_run_in_lists_and_maps() -> None:
    rule = {"x-kubernetes-validations": [{"rule": "self > 0", "message": "positive"}]}
    schema = structural(
        {
            "l": {"type": "array", "items": {"type": "integer", **rule}},
            "m": {"type": "object", "additionalProperties": {"type": "integer", **rule}},
        }
    )
    assert complaints(schema, {"l": [1, 0], "m": {"a": -1}}) == [
        "FieldValueInvalid spec.l[1]: Invalid value: 0: positive",
        "FieldValueInvalid spec.m[a]: Invalid value: -1: positive",
    ]


def test_rules_wait_until_the_schema_is_met() -> None:
    schema = structural(
        {"a": {"type": "integer"}},
        **{"x-kubernetes-validations": [{"rule": "self.a > 1"}], "required": ["a"]},
    )
    assert complaints(schema, {}) == [
        "FieldValueRequired spec.a: Required value",
        "FieldValueInvalid <nil>: Invalid value: null: some validation rules were not checked "
        "because the object was invalid; correct the existing errors to complete validation",
    ]


IMMUTABLE = {"rule": "self == oldSelf", "message": "immutable"}


def test_transition_rules_run_on_updates_only() -> None:
    schema = structural({"s": {"type": "string", "x-kubernetes-validations": [IMMUTABLE]}})
    assert complaints(schema, {"s": "a"}) == []
    assert complaints(schema, {"s": "a"}, {}) == []
    assert complaints(schema, {"s": "a"}, {"s": "a"}) == []
    assert complaints(schema, {"s": "b"}, {"s": "a"}) == [
        'FieldValueInvalid spec.s: Invalid value: "b": immutable'
    ]


def test_optional_old_self_also_runs_on_creation() -> None:
    rule = {
        "rule": "oldSelf.hasValue() || self == 'start'",
        "message": "must begin with start",
        "optionalOldSelf": True,
    }
    schema = structural({"s": {"type": "string", "x-kubernetes-validations": [rule]}})
    assert complaints(schema, {"s": "a"}) == [
        'FieldValueInvalid spec.s: Invalid value: "a": must begin with start'
    ]
    assert complaints(schema, {"s": "start"}) == []
    assert complaints(schema, {"s": "b"}, {"s": "start"}) == []


def test_old_values_are_found_by_key_in_lists_of_type_map() -> None:
    item = {
        "type": "object",
        "required": ["k"],
        "properties": {"k": {"type": "string"}, "v": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self.v >= oldSelf.v", "message": "must grow"}],
    }
    schema = structural(
        {
            "m": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": item,
            }
        }
    )
    old = {"m": [{"k": "a", "v": 5}, {"k": "b", "v": 1}]}
    new = {"m": [{"k": "c", "v": 0}, {"k": "b", "v": 2}, {"k": "a", "v": 4}]}
    assert complaints(schema, new, old) == ["FieldValueInvalid spec.m[2]: Invalid value: must grow"]


def test_unchanged_values_are_not_judged_by_new_rules() -> None:
    rule = {"rule": "self.size() < 3", "message": "short"}
    schema = structural(
        {"s": {"type": "string", "x-kubernetes-validations": [rule]}, "o": {"type": "integer"}}
    )
    assert complaints(schema, {"s": "long", "o": 2}, {"s": "long", "o": 1}) == []
    assert len(complaints(schema, {"s": "longer"}, {"s": "long"})) == 1


def test_the_root_of_a_resource_shows_its_name() -> None:
    schema = Structural(
        {
            "type": "object",
            "properties": {"spec": {"type": "object"}},
            "x-kubernetes-validations": [
                {"rule": "self.metadata.name != 'bad' && self.kind == 'K'", "message": "bad name"}
            ],
        }
    )
    obj = {"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "bad"}}
    assert [str(c) for c in schema.validate(obj)] == ["<nil>: Invalid value: bad name"]
    assert schema.validate({**obj, "metadata": {"name": "good"}}) == []
