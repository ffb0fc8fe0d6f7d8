"""Whatever the bytes: an object or an ApiError. What Go would write: the object it wrote."""

import base64
import math
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.local.api.errors import ApiError
from pawl.local.api.http.body import decoded_protobuf
from pawl.local.api.http.protobuf.decoder import MAGIC
from pawl.local.api.http.protobuf.messages import Field, Message, message
from pawl.local.schema import definitions

KINDS = [
    ("v1", "Pod"), ("v1", "Service"), ("v1", "Secret"), ("v1", "Event"), ("v1", "Node"),
    ("apps/v1", "Deployment"), ("batch/v1", "Job"), ("policy/v1", "Eviction"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"), ("coordination.k8s.io/v1", "Lease"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("authorization.k8s.io/v1", "SubjectAccessReview"),
]  # fmt: skip


def varint(value: int) -> bytes:
    value %= 2**64
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def delimited(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def body(kind: tuple[str, str], raw: bytes) -> bytes:
    named = b"".join(delimited(at, part.encode()) for at, part in enumerate(kind, 1))
    return MAGIC + delimited(1, named) + delimited(2, raw)


def outcome(sent: bytes) -> dict[str, Any] | None:
    try:
        decoded = decoded_protobuf(sent)
    except ApiError as error:
        refused = error
    else:
        assert isinstance(decoded, dict)
        return decoded
    assert refused.code in (400, 415)
    assert refused.message
    return None


def plausible(deeper: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """A few fields with small numbers, some of whose values are messages again."""
    number = st.integers(1, 45)
    one = st.one_of(
        st.builds(delimited, number, deeper),
        st.builds(lambda n, v: varint(n << 3) + varint(v), number, st.integers(0, 2**64 - 1)),
        st.builds(lambda n, v: varint(n << 3 | 1) + v, number, st.binary(min_size=8, max_size=8)),
    )
    return st.lists(one, max_size=5).map(b"".join)


wire = st.recursive(st.binary(max_size=12), plausible, max_leaves=25)


@given(st.binary(max_size=200))
def test_any_bytes(sent):
    outcome(sent)
    outcome(MAGIC + sent)


@given(st.sampled_from(KINDS), wire)
@settings(max_examples=400)
def test_any_fields(kind, raw):
    outcome(body(kind, raw))


@given(st.sampled_from(KINDS), wire, st.data())
def test_every_change_of_a_body(kind, raw, data):
    sent = bytearray(body(kind, raw))
    at = data.draw(st.integers(0, len(sent) - 1))
    sent[at] = data.draw(st.integers(0, 255))
    outcome(bytes(sent[: data.draw(st.integers(at, len(sent)))]))


def values(field: Field, depth: int) -> st.SearchStrategy[Any]:
    """JSON values of a field that are not left out as zeros."""
    by_kind: dict[str | None, st.SearchStrategy[Any]] = {
        "integer": st.integers(-(2**63), 2**63 - 1),
        "int32": st.integers(-(2**31), 2**31 - 1),
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "boolean": st.booleans(),
        "string": st.text(max_size=5),
        "bytes": st.binary(max_size=5).map(lambda raw: base64.b64encode(raw).decode()),
    }
    if field.message is None:
        one = by_kind[field.scalar]
        return one if field.keeps_zero or field.shape != "one" else one.filter(bool)
    return objects(field.message(), depth - 1)


def objects(kind: Message, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    def shaped(field: Field) -> st.SearchStrategy[Any]:
        one = values(field, depth)
        if field.shape == "list":
            return st.lists(one, min_size=1, max_size=2)
        if field.shape == "map":
            return st.dictionaries(st.text(max_size=3), one, min_size=1, max_size=2)
        return one

    usable = [
        field
        for field in kind.fields.values()
        if field.shape != "inline"
        and (field.message is None or (depth > 0 and field.message().finish is None))
    ]
    if not usable:
        return st.just({})
    chosen = st.lists(st.sampled_from(usable), max_size=3, unique_by=lambda field: field.name)
    return chosen.flatmap(lambda some: st.fixed_dictionaries({f.name: shaped(f) for f in some}))


def encoded(obj: dict[str, Any], kind: Message) -> bytes:
    out = b""
    for number, field in kind.fields.items():
        if field.name not in obj or field.shape == "inline":
            continue
        value = obj[field.name]
        if field.shape == "map":
            for key, item in value.items():
                entry = delimited(1, key.encode()) + _one(2, field, item)
                out += delimited(number, entry)
        else:
            for item in value if field.shape == "list" else [value]:
                out += _one(number, field, item)
    return out


def _one(number: int, field: Field, value: Any) -> bytes:
    if field.message is not None:
        return delimited(number, encoded(value, field.message()))
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return delimited(number, base64.b64decode(value) if field.scalar == "bytes" else value.encode())


def message_of(api_version: str, kind: str) -> Message:
    group, _, version = api_version.rpartition("/")
    return message(definitions.names_by_kind()[group, version, kind])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[1])
def test_what_is_encoded_is_decoded(kind):
    known = message_of(*kind)

    @given(objects(known, 5))
    @settings(max_examples=60)
    def check(obj: dict[str, Any]) -> None:
        sent = body(kind, encoded(obj, known))
        assert outcome(sent) == {"apiVersion": kind[0], "kind": kind[1], **obj}

    check()


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1))
def test_times(seconds, nanos):
    moment = varint(8) + varint(seconds) + varint(16) + varint(nanos)
    sent = body(("v1", "ConfigMap"), delimited(1, delimited(8, moment)))
    decoded = outcome(sent)
    in_range = -62_135_596_800 <= seconds <= 253_402_300_799 and 0 <= nanos < 10**9
    assert (decoded is not None) is in_range


@given(st.floats())
def test_doubles(number):
    """JSON has no infinity and no NaN."""
    kind = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    schema = varint(9 << 3 | 1) + struct.pack("<d", number)
    raw = delimited(2, delimited(7, delimited(4, delimited(1, schema))))
    decoded = outcome(body(kind, raw))
    assert (decoded is not None) is math.isfinite(number)
    if decoded is not None:
        shown = decoded["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        assert shown == {"maximum": number}
