"""Validation of custom resources, in kube-apiserver's words."""

from typing import Any

import pytest

from pawl.local.schema.structural import Structural

FIELDS: dict[str, Any] = {
    "name": {"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-z]+$"},
    "i": {"type": "integer", "minimum": 1, "maximum": 10},
    "i32": {"type": "integer", "format": "int32"},
    "i64": {"type": "integer", "format": "int64", "multipleOf": 5},
    "n": {"type": "number", "minimum": 0.5, "exclusiveMinimum": True, "maximum": 2.5},
    "e": {"type": "string", "enum": ["x", "y"]},
    "time": {"type": "string", "format": "date-time"},
    "l": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string"}},
    "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
    "map": {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        "items": {
            "type": "object",
            "required": ["k"],
            "properties": {"k": {"type": "string"}, "v": {"type": "integer", "maximum": 9}},
        },
    },
    "dict": {"type": "object", "maxProperties": 1, "additionalProperties": {"type": "integer"}},
    "ios": {
        "x-kubernetes-int-or-string": True,
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "pattern": "%$",
    },
    "one": {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
    },
    "not": {"type": "string", "not": {"enum": ["bad"]}},
    "object": {
        "type": "object",
        "x-kubernetes-embedded-resource": True,
        "x-kubernetes-preserve-unknown-fields": True,
    },
}
STRUCTURAL = Structural(
    {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "required": ["name"], "properties": FIELDS},
            "status": {
                "type": "object",
                "properties": {"phase": {"enum": ["A"], "type": "string"}},
            },
        },
    }
)


def complaints(spec: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    before = {"spec": old} if old is not None else None
    return [f"{c.reason} {c}" for c in STRUCTURAL.validate({"spec": spec}, before)]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, ["FieldValueRequired spec.name: Required value"], id="required"),
        pytest.param(
            {"name": "a"},
            ['FieldValueInvalid spec.name: Invalid value: "a": spec.name in body should be at '
             "least 2 chars long"],
            id="too-short",
        ),
        pytest.param(
            {"name": "abcdef"},
            ["FieldValueTooLong spec.name: Too long: may not be more than 5 bytes"],
            id="too-long",
        ),
        pytest.param(
            {"name": "AB"},
            ['FieldValueInvalid spec.name: Invalid value: "AB": spec.name in body should match '
             "'^[a-z]+$'"],
            id="pattern",
        ),
        pytest.param(
            {"name": 5},
            ['FieldValueTypeInvalid spec.name: Invalid value: "integer": spec.name in body must be '
             'of type string: "integer"'],
            id="type",
        ),
        pytest.param(
            {"name": "ab", "i": 0},
            ["FieldValueInvalid spec.i: Invalid value: 0: spec.i in body should be greater than or "
             "equal to 1"],
            id="minimum",
        ),
        pytest.param(
            {"name": "ab", "i": 1.5},
            ['FieldValueTypeInvalid spec.i: Invalid value: "number": spec.i in body '
             'must be of type '
             'integer: "number"',
             'FieldValueInvalid <nil>: Invalid value: "": Checked value must be of type integer '
             "(default format) in spec.i"],
            id="fraction-for-an-integer",
        ),
        pytest.param(
            {"name": "ab", "i32": 2**31},
            ['FieldValueInvalid <nil>: Invalid value: "": Checked value must be of type integer '
             "with format int32 in spec.i32"],
            id="int32-overflow",
        ),
        pytest.param(
            {"name": "ab", "i64": 7},
            ["FieldValueInvalid spec.i64: Invalid value: 7: spec.i64 in body should be a multiple "
             "of 5"],
            id="multiple-of",
        ),
        pytest.param(
            {"name": "ab", "n": 0.5},
            ["FieldValueInvalid spec.n: Invalid value: 0.5: spec.n in body should be greater than "
             "0.5"],
            id="exclusive-minimum",
        ),
        pytest.param(
            {"name": "ab", "e": "z"},
            ['FieldValueNotSupported spec.e: Unsupported value: "z": supported values: "x", "y"'],
            id="enum",
        ),
        pytest.param(
            {"name": "ab", "time": "yesterday"},
            ['FieldValueTypeInvalid spec.time: Invalid value: "yesterday": spec.time in '
             'body must be '
             'of type date-time: "yesterday"'],
            id="format",
        ),
        pytest.param(
            {"name": "ab", "l": ["a", "b", "c"]},
            ["FieldValueTooMany spec.l: Too many: 3: must have at most 2 items"],
            id="too-many-items",
        ),
        pytest.param(
            {"name": "ab", "l": []},
            ["FieldValueInvalid spec.l: Invalid value: 0: spec.l in body should have at least 1 "
             "items"],
            id="too-few-items",
        ),
        pytest.param(
            {"name": "ab", "set": ["a", "b", "a", "a"]},
            ['FieldValueDuplicate spec.set[2]: Duplicate value: "a"'],
            id="set-names-the-second-appearance-only",
        ),
        pytest.param(
            {"name": "ab", "map": [{"k": "a"}, {"k": "a", "v": 10}]},
            ["FieldValueInvalid spec.map[1].v: Invalid value: 10: spec.map[1].v in body should be "
             "less than or equal to 9",
             'FieldValueDuplicate spec.map[1]: Duplicate value: {"k":"a"}'],
            id="map-keys",
        ),
        pytest.param(
            {"name": "ab", "dict": {"a": 1, "b": "x"}},
            ["FieldValueTooMany spec.dict: Too many: 2: must have at most 1 item",
             'FieldValueTypeInvalid spec.dict.b: Invalid value: "string": spec.dict.b in body must '
             'be of type integer: "string"'],
            id="additional-properties",
        ),
        pytest.param({"name": "ab", "ios": 5}, [], id="int-or-string-as-integer"),
        pytest.param(
            {"name": "ab", "ios": "5"},
            ['FieldValueInvalid spec.ios: Invalid value: "5": spec.ios in body should '
             'match \'%$\''],
            id="int-or-string-as-string",
        ),
        pytest.param(
            {"name": "ab", "one": {"a": "1", "b": "1"}},
            ['FieldValueInvalid <nil>: Invalid value: "": "spec.one" must validate one '
             'and only one '
             "schema (oneOf). Found 2 valid alternatives"],
            id="one-of-two",
        ),
        pytest.param(
            {"name": "ab", "one": {}},
            ['FieldValueInvalid <nil>: Invalid value: "": "spec.one" must validate one '
             'and only one '
             "schema (oneOf). Found none valid",
             "FieldValueRequired spec.one.a: Required value"],
            id="one-of-none",
        ),
        pytest.param(
            {"name": "ab", "not": "bad"},
            ['FieldValueInvalid <nil>: Invalid value: "": "spec.not" must not validate the schema '
             "(not)"],
            id="not",
        ),
        pytest.param(
            {"name": "ab", "object": {"apiVersion": "a/b/c"}},
            ['FieldValueInvalid spec.object.apiVersion: Invalid value: "a/b/c": unexpected '
             "GroupVersion string: a/b/c",
             "FieldValueRequired spec.object.kind: Required value"],
            id="embedded-resource",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_like_the_api_server(
    spec: dict[str, Any], expected: list[str]
) -> None:
    assert complaints(spec) == expected


def test_a_valid_object_has_no_causes() -> None:
    assert complaints({"name": "ab", "i": 1, "n": 2, "map": [{"k": "a"}, {"k": "b"}]}) == []


def test_unchanged_values_are_forgiven_on_update() -> None:
    old = {"name": "TOOLONG", "i": 50, "map": [{"k": "a", "v": 10}, {"k": "b"}]}
    assert complaints({**old, "l": ["x"]}, old) == []
    reordered = [{"k": "b"}, {"k": "a", "v": 10}]
    assert complaints({**old, "map": reordered}, old) == []
    assert [text.split(":")[0] for text in complaints({**old, "i": 51}, old)] == [
        "FieldValueInvalid spec.i"
    ]


def test_duplicates_are_forgiven_where_they_were_before() -> None:
    assert (
        complaints({"name": "ab", "set": ["a", "a", "b"]}, {"name": "ab", "set": ["c", "c"]}) == []
    )


def test_status_is_checked_alone_and_named_from_itself() -> None:
    old = {"spec": {"name": "ab"}}
    new = {"spec": {"name": "NOT CHECKED HERE"}, "status": {"phase": 5}}
    assert [str(cause) for cause in STRUCTURAL.validate_status(new, old)] == [
        'status.phase: Invalid value: "integer": phase in body must be of type string: "integer"',
        'status.phase: Unsupported value: 5: supported values: "A"',
    ]
