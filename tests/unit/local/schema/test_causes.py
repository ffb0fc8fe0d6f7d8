"""Field errors and Go's way of printing values."""

import pytest

from pawl.local.schema import causes, golang


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(5, "5", id="integer"),
        pytest.param(2.0, "2", id="whole-float"),
        pytest.param(0.1, "0.1", id="fraction"),
        pytest.param(1e6, "1e+06", id="exponent-from-1e6"),
        pytest.param(123456789.0, "1.23456789e+08", id="exponent-keeps-digits"),
        pytest.param(0.0001, "0.0001", id="small"),
        pytest.param(1.5e-5, "1.5e-05", id="negative-exponent"),
        pytest.param(float(2**63), "9.223372036854776e+18", id="beyond-int64"),
        pytest.param(float("inf"), "+Inf", id="infinity"),
    ],
)
def test_numbers_are_printed_as_go_prints_them(value: float, shown: str) -> None:
    assert golang.number(value) == shown


def test_quote_escapes_what_go_escapes() -> None:
    assert golang.quote('a"b\\\n\x01é\u200b') == '"a\\"b\\\\\\n\\x01é\\u200b"'


def test_json_is_sorted_compact_and_html_safe() -> None:
    assert golang.to_json({"b": "<&>", "a": [1.0, None]}) == (
        '{"a":[1,null],"b":"\\u003c\\u0026\\u003e"}'
    )


def test_same_tells_numbers_from_booleans() -> None:
    assert golang.same({"a": [1, "x"]}, {"a": [1, "x"]})
    assert not golang.same(1, True)
    assert not golang.same(1, 1.0)
    assert not golang.same({"a": 1}, {"a": 1, "b": 2})


@pytest.mark.parametrize(
    ("cause", "reason", "text"),
    [
        pytest.param(
            causes.required("spec.model"), "FieldValueRequired", "spec.model: Required value",
            id="required",
        ),
        pytest.param(
            causes.not_supported("spec.task", "x", ["a", "b"]), "FieldValueNotSupported",
            'spec.task: Unsupported value: "x": supported values: "a", "b"', id="not-supported",
        ),
        pytest.param(
            causes.too_long("spec.name", 1), "FieldValueTooLong",
            "spec.name: Too long: may not be more than 1 byte", id="too-long",
        ),
        pytest.param(
            causes.too_many("spec.l", 3, 2), "FieldValueTooMany",
            "spec.l: Too many: 3: must have at most 2 items", id="too-many",
        ),
        pytest.param(
            causes.duplicate("spec.m[1]", {"k": "a"}), "FieldValueDuplicate",
            'spec.m[1]: Duplicate value: {"k":"a"}', id="duplicate",
        ),
        pytest.param(
            causes.invalid("", None, "no"), "FieldValueInvalid", "<nil>: Invalid value: null: no",
            id="no-path",
        ),
        pytest.param(
            causes.invalid("spec", causes.OMITTED, "no"), "FieldValueInvalid",
            "spec: Invalid value: no", id="value-omitted",
        ),
        pytest.param(
            causes.forbidden("spec.x", "no"), "FieldValueForbidden", "spec.x: Forbidden: no",
            id="forbidden",
        ),
        pytest.param(
            causes.not_found("spec.x", "y"), "FieldValueNotFound", 'spec.x: Not found: "y"',
            id="not-found",
        ),
    ],
)  # fmt: skip
def test_causes_read_like_field_errors(cause: causes.Cause, reason: str, text: str) -> None:
    assert (cause.reason, str(cause)) == (reason, text)


def test_the_status_message_names_each_error_once() -> None:
    one = causes.required("spec.model")
    other = causes.required("spec.data")
    assert causes.invalid_message("pawl.dev", "TrainingJob", "x", [one]) == (
        'TrainingJob.pawl.dev "x" is invalid: spec.model: Required value'
    )
    assert causes.invalid_message("", "Pod", "x", [one, other, one]) == (
        'Pod "x" is invalid: [spec.model: Required value, spec.data: Required value]'
    )
