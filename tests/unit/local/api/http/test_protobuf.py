"""Protobuf bodies: bytes written by hand, and what must not pass."""

import base64
import struct

import pytest

from pawl.local.api.errors import ApiError
from pawl.local.api.http.body import decoded_protobuf
from pawl.local.api.http.protobuf import decoder, messages, tables
from pawl.local.api.http.protobuf.decoder import MAGIC, decode
from pawl.local.schema import definitions


def varint(value: int) -> bytes:
    value %= 2**64
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | float | str | bytes) -> bytes:
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def body(api_version: str, kind: str, raw: bytes) -> bytes:
    named = field(1, api_version) + field(2, kind)
    return MAGIC + field(1, named) + field(2, raw)


def pod(spec: bytes) -> dict:
    return decode(body("v1", "Pod", field(2, spec)))["spec"]


def container(*parts: bytes) -> dict:
    return pod(field(2, b"".join(parts)))["containers"][0]


def refusal(sent: bytes, code: int = 400) -> str:
    with pytest.raises(ApiError) as refused:
        decoded_protobuf(sent)
    assert refused.value.code == code
    return refused.value.message


def config_map(data: bytes) -> bytes:
    return body("v1", "ConfigMap", data)


def test_what_kubectl_create_namespace_sends():
    sent = bytes.fromhex(
        "6b 38 73 00 0a 0f 0a 02 76 31 12 09 4e 61 6d 65 73 70 61 63 65 12 19 0a 11 0a 01 78 12 00"
        "1a 00 22 00 2a 00 32 00 38 00 42 00 12 00 1a 02 0a 00 1a 00 22 00"
    )
    assert decode(sent) == {
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}, "spec": {},
        "status": {},
    }  # fmt: skip


def test_maps_bytes_and_times():
    meta = field(1, "s") + field(8, field(1, 1_700_000_000)) + field(7, -1)
    entry = field(1, "k") + field(2, b"\x00\xff")
    assert decode(body("v1", "Secret", field(1, meta) + field(2, entry))) == {
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "s", "creationTimestamp": "2023-11-14T22:13:20Z", "generation": -1},
        "data": {"k": base64.b64encode(b"\x00\xff").decode()},
    }  # fmt: skip


def test_a_map_entry_without_a_value_has_the_empty_one():
    assert decode(config_map(field(2, field(1, "k"))))["data"] == {"k": ""}
    assert decode(config_map(field(2, field(2, "v"))))["data"] == {"": "v"}


def test_micro_times():
    spec = field(1, "me") + field(3, field(1, 1_700_000_000) + field(2, 123_456_000))
    lease = decode(body("coordination.k8s.io/v1", "Lease", field(2, spec)))
    assert lease["spec"] == {
        "holderIdentity": "me", "acquireTime": "2023-11-14T22:13:20.123456Z",
    }  # fmt: skip


def test_zeros_are_kept_only_where_go_keeps_them():
    """replicas is a pointer, paused is not, containerPort is required."""
    spec = field(1, 0) + field(7, 0)
    assert decode(body("apps/v1", "Deployment", field(2, spec)))["spec"] == {"replicas": 0}
    assert container(field(1, ""), field(6, field(3, 0) + field(2, 0)), field(16, 0)) == {
        "name": "", "ports": [{"containerPort": 0}],
    }  # fmt: skip


def test_fields_of_embedded_messages_belong_to_their_owner():
    volume = field(1, "v") + field(2, field(19, field(1, field(1, "settings")) + field(4, 0)))
    assert pod(field(1, volume))["volumes"] == [
        {"name": "v", "configMap": {"name": "settings", "optional": False}}
    ]
    probe = field(1, field(2, field(1, "/") + field(2, field(1, 1) + field(3, "http"))))
    assert container(field(10, probe))["livenessProbe"] == {
        "httpGet": {"path": "/", "port": "http"}
    }


def test_quantities_and_numbers_or_strings():
    limits = field(1, field(1, "cpu") + field(2, field(1, "500m")))
    assert container(field(8, limits))["resources"] == {"limits": {"cpu": "500m"}}
    rolling = field(2, field(1, field(1, 0) + field(2, 0)) + field(2, field(1, 1) + field(3, "9%")))
    spec = field(2, field(4, rolling))
    assert decode(body("apps/v1", "Deployment", spec))["spec"]["strategy"] == {
        "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "9%"}
    }


def test_lists_of_numbers_packed_or_not():
    packed = field(14, field(4, varint(5) + varint(7)) + field(4, 9))
    assert pod(packed)["securityContext"] == {"supplementalGroups": [5, 7, 9]}


def test_a_message_in_pieces_is_merged_and_the_last_scalar_wins():
    meta = field(1, field(1, "a") + field(2, "g")) + field(1, field(1, "b") + field(2, ""))
    assert decode(config_map(meta))["metadata"] == {"name": "b"}


def test_delete_options_of_any_group():
    sent = field(1, 0) + field(2, field(1, "u")) + field(4, "Foreground") + field(5, "All")
    options = decode(body("apps/v1", "DeleteOptions", sent))
    assert options == {
        "apiVersion": "apps/v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u"}, "propagationPolicy": "Foreground", "dryRun": ["All"],
    }  # fmt: skip


def test_crd_schemas():
    text, number = field(5, "string"), field(5, "number")
    props = {
        "any": field(8, field(1, b'{"a":1}')) + field(20, field(1, "2")) + field(20, field(1, "3")),
        "bounded": field(9, 1.5) + field(11, 0.0),
        "list": field(24, field(1, text)),
        "lists": field(24, field(2, text) + field(2, number)),
        "map": field(30, field(1, 1) + field(2, text)),
        "open": field(30, field(1, 1)),
        "closed": field(30, field(1, 0)),
    }
    entries = b"".join(field(29, field(1, name) + field(2, raw)) for name, raw in props.items())
    spec = field(7, field(1, "v1") + field(4, field(1, entries)) + field(5, field(1, b"")))
    crd = decode(body("apiextensions.k8s.io/v1", "CustomResourceDefinition", field(2, spec)))
    version = crd["spec"]["versions"][0]
    assert version["subresources"] == {"status": {}}
    assert version["schema"]["openAPIV3Schema"]["properties"] == {
        "any": {"default": {"a": 1}, "enum": [2, 3]},
        "bounded": {"maximum": 1.5, "minimum": 0.0},
        "list": {"items": {"type": "string"}},
        "lists": {"items": [{"type": "string"}, {"type": "number"}]},
        "map": {"additionalProperties": {"type": "string"}},
        "open": {"additionalProperties": True},
        "closed": {"additionalProperties": False},
    }


def test_user_extra_is_a_map_of_lists():
    spec = field(5, field(1, "scopes") + field(2, field(1, "a") + field(1, "b")))
    review = decode(body("authorization.k8s.io/v1", "SubjectAccessReview", field(2, spec)))
    assert review["spec"] == {"extra": {"scopes": ["a", "b"]}}


def test_unknown_numbers_of_every_wire_type_become_keys_that_no_kind_has():
    fixed32 = varint(777 << 3 | 5) + b"1234"
    sent = field(900, 1) + field(901, "text") + field(902, 1.0) + fixed32 + field(1, field(99, 1))
    assert decode(config_map(sent)) == {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"#99": True},
        "#900": True, "#901": True, "#902": True, "#777": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"", "the body does not start with the prefix 6b 38 73 00"),
        (b'{"kind": "Pod"}', "the body does not start with the prefix 6b 38 73 00"),
        (MAGIC + b"\x0a", "unexpected EOF"),
        (config_map(field(1, b"\x0a\x05ab")), "metadata: unexpected EOF"),
        (config_map(field(1, b"\x08\xff")), "metadata: unexpected EOF"),
        (config_map(b"\x0a" + varint(2**63 + 5)), "unexpected EOF"),
        (config_map(b"\xff" * 20), "proto: integer overflow"),
        (config_map(b"\x08" + b"\xff" * 9 + b"\x7f"), "proto: integer overflow"),
        (config_map(b"\x02\x00"), "proto: illegal tag 0 (wire type 2)"),
        (config_map(varint(2**29 << 3)), "proto: illegal tag 536870912 (wire type 0)"),
        (config_map(b"\x0b\x0c"), "proto: illegal wireType 3"),
        (config_map(field(1, 5)), "metadata: proto: wrong wireType = 0"),
        (config_map(field(2, field(1, "k") + field(2, 7))), "data[k]: proto: wrong wireType = 0"),
        (config_map(field(4, "yes")), "immutable: proto: wrong wireType = 2"),
        (config_map(field(4, 1.0)), "immutable: proto: wrong wireType = 1"),
        (config_map(field(1, field(1, b"\xff"))), "metadata.name: the string is no UTF-8"),
        (
            body("v1", "Pod", field(2, field(2, b"") + field(2, field(6, field(3, 2**31))))),
            "spec.containers[1].ports[0].containerPort: proto: integer overflow",
        ),
        (
            config_map(field(1, field(8, field(1, 2**60)))),
            f"metadata.creationTimestamp: a time of {2**60} s is not in the years 1…9999",
        ),
        (
            config_map(field(1, field(8, field(2, -1)))),
            "metadata.creationTimestamp: nanos -1 are not in 0…999999999",
        ),
        (
            config_map(field(1, field(17, field(7, field(1, "{"))))),
            "metadata.managedFields[0].fieldsV1: json parse error: unexpected end of data",
        ),
        (config_map(b"") + field(3, "gzip"), "contentEncoding: 'gzip' is not supported"),
        (config_map(b"") + field(4, "text/x"), "contentType: 'text/x' is not supported"),
    ],
)  # fmt: skip
def test_hostile_bytes(sent, told):
    message = refusal(sent)
    assert message.startswith(f"protobuf parse error: {told}")


def test_a_message_that_is_too_deep():
    schema = b""
    for _ in range(decoder.MAX_DEPTH + 5):
        schema = field(28, schema)  # not: …
    version = field(4, field(1, schema))
    sent = body("apiextensions.k8s.io/v1", "CustomResourceDefinition", field(2, field(7, version)))
    assert f"exceeded max depth {decoder.MAX_DEPTH}" in refusal(sent)


@pytest.mark.parametrize(
    "raw",
    [
        field(900, 1) * (decoder.MAX_FIELDS + 1),
        field(2, field(2, field(3, "") * (decoder.MAX_FIELDS + 1))),
        field(2, field(14, field(4, b"\x01" * (decoder.MAX_FIELDS + 1)))),
    ],
    ids=["unknown", "strings", "packed"],
)
def test_too_many_fields(raw):
    assert f"more than {decoder.MAX_FIELDS} fields" in refusal(body("v1", "Pod", raw))


@pytest.mark.parametrize(
    "kind", [("pawl.dev/v1alpha1", "TrainingJob"), ("v1", "Nothing"), ("", "")]
)
def test_kinds_without_a_protobuf_form(kind):
    assert "accepted media types include: application/json" in refusal(body(*kind, b""), 415)


def test_the_tables_have_exactly_the_fields_of_the_api():
    """An envelope's kind and apiVersion travel outside of the object."""
    for name, row in tables.rows().items():
        properties = definitions.raw().get(name, {}).get("properties")
        if properties is None:  # a message that JSON does not show as one
            continue
        found = set(_flat(name, row))
        missing = set(properties) - found
        is_kind = "x-kubernetes-group-version-kind" in definitions.raw()[name]
        envelope = {"apiVersion", "kind"} if is_kind else set()
        assert found - set(properties) == set(), name
        assert missing <= envelope, name


def _flat(name: str, row: dict[int, str]) -> list[str]:
    package = name.rpartition(".")[0]
    found: list[str] = []
    for word in row.values():
        if word.startswith("+"):
            found += _flat(name, tables.rows()[f"{package}.{word[1:]}"])
        else:
            found.append(word.rstrip("?"))
    assert len(found) == len(set(found)), name
    return found


def test_every_field_leads_somewhere():
    inline = {"VolumeSource", "ProbeHandler", "EphemeralContainerCommon"}
    for name in tables.rows():
        if name.rpartition(".")[2] in inline:
            continue
        for one in messages.message(name).fields.values():
            assert (one.scalar is None) != (one.message is None), (name, one.name)
            if one.message is not None:
                assert one.message().fields is not None
