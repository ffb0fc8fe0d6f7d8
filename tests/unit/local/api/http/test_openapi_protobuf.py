"""/openapi/v2 as protobuf: what clients read of it is what the JSON says."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.local.api.http.protobuf.openapi import encode
from pawl.local.api.http.protobuf.wire import fields

Obj = dict[str, Any]


def parts(data: Any) -> list[tuple[int, Any]]:
    return [
        (number, bytes(value) if isinstance(value, memoryview) else value)
        for number, _, value in fields(memoryview(data))
    ]


def document(**definitions: Obj) -> bytes:
    info = {"title": "Kubernetes", "version": "v1"}
    return orjson.dumps({"swagger": "2.0", "info": info, "paths": {}, "definitions": definitions})


def schema(given: Obj) -> list[tuple[int, Any]]:
    """The fields of a schema that is encoded as a definition `x`."""
    found = dict(parts(encode(document(x=given))))
    ((_, named),) = parts(found[9])
    (_, name), (_, body) = parts(named)
    assert name == b"x"
    return parts(body)


def test_a_document_says_what_it_is() -> None:
    found = dict(parts(encode(document())))
    assert found == {1: b"2.0", 2: b"\x0a\x0aKubernetes\x12\x02v1", 9: b""}


@pytest.mark.parametrize(
    ("given", "number", "field"),
    [
        pytest.param({"$ref": "#/definitions/y"}, 1, b"#/definitions/y", id="reference"),
        pytest.param({"type": "string"}, 22, b"\x0a\x06string", id="type"),
        pytest.param({"properties": {}}, 25, b"", id="a-kind-without-fields-is-one"),
        pytest.param(
            {"properties": {"a": {"format": "f"}}}, 25, b"\x0a\x08\x0a\x01a\x12\x03\x12\x01f",
            id="property",
        ),
        pytest.param({"items": {"format": "f"}}, 23, b"\x0a\x03\x12\x01f", id="items"),
        pytest.param(
            {"additionalProperties": {"format": "f"}}, 21, b"\x0a\x03\x12\x01f", id="map"
        ),
        pytest.param({"additionalProperties": True}, 21, b"\x10\x01", id="any-more"),
        pytest.param({"default": 1}, 5, b"\x12\x011", id="default"),
        pytest.param(
            {"x-k": ["a"]}, 31, b'\x0a\x03x-k\x12\x07\x12\x05["a"]', id="extension-as-yaml"
        ),
    ],
)  # fmt: skip
def test_a_schema(given: Obj, number: int, field: bytes) -> None:
    assert schema(given) == [(number, field)]


@given(st.text(max_size=400), st.lists(st.text(max_size=9)))
def test_texts_of_any_length_come_through(text: str, required: list[str]) -> None:
    found = schema({"description": text, "required": required})
    assert found == [(4, text.encode()), *((19, name.encode()) for name in required)]
