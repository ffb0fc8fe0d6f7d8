"""Which CustomResourceDefinitions are accepted, and why others are not."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pawl.local.schema.crd import default_crd
from pawl.local.schema.structural import Structural, check_crd

OWN = sorted((Path(__file__).parents[4] / "crds").glob("*.yaml"))
PREFIX = "spec.validation.openAPIV3Schema"


def definition(schema: dict[str, Any], **spec: Any) -> dict[str, Any]:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    return default_crd(
        {
            "metadata": {"name": "foos.ex.io"},
            "spec": {
                "group": "ex.io",
                "scope": "Namespaced",
                "names": {"plural": "foos", "kind": "Foo"},
                "versions": [version],
                **spec,
            },
        }
    )


def in_spec(fields: dict[str, Any], **keywords: Any) -> dict[str, Any]:
    spec = {"type": "object", "properties": fields, **keywords}
    return {"type": "object", "properties": {"spec": spec}}


def complaints(schema: dict[str, Any]) -> list[str]:
    return [str(cause).removeprefix(PREFIX) for cause in check_crd(definition(schema))]


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_our_own_definitions_are_accepted(path: Path) -> None:
    crd = yaml.safe_load(path.read_text())
    assert check_crd(default_crd(crd)) == []
    for version in crd["spec"]["versions"]:
        found = Structural(version["schema"]["openAPIV3Schema"]).validate({"spec": 5})
        assert ("spec", "FieldValueTypeInvalid") in [(c.field, c.reason) for c in found]


def test_names_are_defaulted() -> None:
    names = definition(in_spec({}))["spec"]["names"]
    assert names == {"plural": "foos", "kind": "Foo", "singular": "foo", "listKind": "FooList"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param(
            in_spec({"a": {}}),
            [".properties[spec].properties[a].type: Required value: must not be empty "
             "for specified "
             "object fields"],
            id="no-type",
        ),
        pytest.param(
            {"type": "string"},
            ['.type: Invalid value: "string": only "object" is allowed as the type at the root of '
             "the schema if the status subresource is enabled",
             '.type: Invalid value: "string": must be object at the root'],
            id="root-type",
        ),
        pytest.param(
            in_spec({"a": {"type": "array"}}),
            [".properties[spec].properties[a].items: Required value: must be specified"],
            id="array-without-items",
        ),
        pytest.param(
            in_spec({"a": {"type": "string", "anyOf": [{"type": "string"}]}}),
            [".properties[spec].properties[a].anyOf[0].type: Forbidden: must be empty to be "
             "structural"],
            id="type-inside-any-of",
        ),
        pytest.param(
            in_spec({"a": {"type": "string", "pattern": "a(?=b)"}}),
            ['.properties[spec].properties[a].pattern: Invalid value: "a(?=b)": must be a valid '
             "regular expression, but isn't: error parsing regexp: invalid or unsupported Perl "
             "syntax: `(?=`"],
            id="pattern",
        ),
        pytest.param(
            in_spec({"a": {"type": "string", "default": 5}}),
            ['.properties[spec].properties[a].default: Invalid value: "integer":  in body must be '
             'of type string: "integer"'],
            id="default-of-a-wrong-type",
        ),
        pytest.param(
            in_spec({"a": {"type": "object", "default": {"b": 1}, "properties": {}}}),
            ['.properties[spec].properties[a].default: Invalid value: {"b":1}: must not have '
             "unknown fields"],
            id="default-with-unknown-fields",
        ),
        pytest.param(
            in_spec({"a": {"type": "array", "items": {"type": "string"}, "uniqueItems": True}}),
            [".properties[spec].properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to "
             "true since the runtime complexity becomes quadratic"],
            id="unique-items",
        ),
        pytest.param(
            in_spec({"a": {"type": "array", "x-kubernetes-list-type": "map",
                           "x-kubernetes-list-map-keys": ["n"],
                           "items": {"type": "object", "properties": {"n": {"type": "string"}}}}}),
            [".properties[spec].properties[a].items.properties[n].default: Required value: this "
             "property is in x-kubernetes-list-map-keys, so it must have a default or "
             "be a required "
             "property"],
            id="optional-map-key",
        ),
        pytest.param(
            {"type": "object", "properties": {"metadata": {"type": "object", "description": "x"}}},
            [".properties[metadata]: Forbidden: must not specify anything other than name and "
             "generateName, but metadata is implicitly specified"],
            id="metadata",
        ),
        pytest.param(
            in_spec({"a": {"$ref": "#/x"}}),
            [".properties[spec].properties[a].$ref: Forbidden: $ref is not supported"],
            id="reference",
        ),
    ],
)  # fmt: skip
def test_schemas_that_are_refused(schema: dict[str, Any], expected: list[str]) -> None:
    assert complaints(schema) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(
            {"rule": "self.b > 1"},
            'rule: Invalid value: {"Rule":"self.b \\u003e 1","Message":"","MessageExpression":"",'
            '"Reason":null,"FieldPath":"","OptionalOldSelf":null}: compilation failed: ERROR: '
            "<input>:1:5: undefined field 'b'\n | self.b > 1\n | ....^",
            id="unknown-field",
        ),
        pytest.param(
            {"rule": "self.a"},
            'rule: Invalid value: {"Rule":"self.a","Message":"","MessageExpression":"",'
            '"Reason":null,"FieldPath":"","OptionalOldSelf":null}: cel expression must evaluate to '
            "a bool",
            id="not-a-bool",
        ),
        pytest.param({"rule": " "}, "rule: Required value: rule is not specified", id="empty"),
        pytest.param(
            {"rule": "true", "message": "a\nb"},
            'message: Invalid value: "a\\nb": must not contain line breaks',
            id="message-with-line-breaks",
        ),
        pytest.param(
            {"rule": "true &&\ntrue"},
            "message: Required value: message must be specified if rule contains line breaks",
            id="rule-with-line-breaks",
        ),
        pytest.param(
            {"rule": "true", "fieldPath": ".zz"},
            'fieldPath: Invalid value: ".zz": must be a valid path',
            id="field-path",
        ),
        pytest.param(
            {"rule": "true", "reason": "Foo"},
            'reason: Unsupported value: "Foo": supported values: "FieldValueDuplicate", '
            '"FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"',
            id="reason",
        ),
        pytest.param(
            {"rule": "self.a > 1", "optionalOldSelf": True},
            "optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule",
            id="optional-old-self",
        ),
    ],
)
def test_rules_that_are_refused(rule: dict[str, Any], expected: str) -> None:
    schema = in_spec({"a": {"type": "integer"}}, **{"x-kubernetes-validations": [rule]})
    assert complaints(schema) == [f".properties[spec].x-kubernetes-validations[0].{expected}"]


def test_old_values_cannot_be_asked_for_where_they_cannot_be_found() -> None:
    item = {"type": "integer", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}
    schema = in_spec({"a": {"type": "array", "items": item}})
    assert complaints(schema) == [
        ".properties[spec].properties[a].items.x-kubernetes-validations[0].rule: Invalid value: "
        '"self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema '
        f"within {PREFIX}.properties[spec].properties[a]"
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"scope": "Foo"},
                     'spec.scope: Unsupported value: "Foo": supported values: "Cluster", '
                     '"Namespaced"', id="scope"),
        pytest.param({"preserveUnknownFields": True},
                     "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set "
                     "x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema "
                     "instead", id="preserve-unknown-fields"),
        pytest.param({"names": {"plural": "bars", "singular": "bar", "kind": "Bar",
                                "listKind": "BarList"}},
                     'metadata.name: Invalid value: "foos.ex.io": must be '
                     'spec.names.plural+"."+spec.group', id="name"),
        pytest.param({"conversion": {"strategy": "X"}},
                     'spec.conversion.strategy: Unsupported value: "X": supported values: "None", '
                     '"Webhook"', id="conversion"),
    ],
)  # fmt: skip
def test_definitions_that_are_refused(change: dict[str, Any], expected: str) -> None:
    found = check_crd(definition(in_spec({}), **change))
    assert [str(cause) for cause in found] == [expected]


def test_group_and_plural_never_change() -> None:
    old = definition(in_spec({}))
    new = definition(in_spec({}), group="other.io")
    new["metadata"]["name"] = "foos.other.io"
    assert [str(cause) for cause in check_crd(new, old)] == [
        'spec.group: Invalid value: "other.io": field is immutable'
    ]
