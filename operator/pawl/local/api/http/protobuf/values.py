"""Messages that are a single value in JSON: times, quantities, raw JSON, unions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from pawl.local.api import metadata
from pawl.local.api.http.protobuf.wire import WireError

Obj = dict[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MACHINERY = "io.k8s.apimachinery.pkg."
_META = f"{_MACHINERY}apis.meta.v1."
_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."

_INTEGER = {"type": "integer"}
_STRING = {"type": "string"}
_RAW = {"type": "raw"}  # bytes that are not shown in base64
_TIME = {"seconds": _INTEGER, "nanos": _INTEGER}
_SCHEMA = {"$ref": f"#/$defs/{_EXTENSIONS}JSONSchemaProps"}

# What the OpenAPI definitions do not have: the protobuf side of these messages.
PROPERTIES: dict[str, dict[str, Obj]] = {
    f"{_META}Time": _TIME,
    f"{_META}MicroTime": _TIME,
    f"{_META}FieldsV1": {"raw": _RAW},
    f"{_MACHINERY}api.resource.Quantity": {"string": _STRING},
    f"{_MACHINERY}util.intstr.IntOrString": {
        "type": _INTEGER, "intVal": _INTEGER, "strVal": _STRING,
    },
    f"{_MACHINERY}runtime.TypeMeta": {"apiVersion": _STRING, "kind": _STRING},
    f"{_MACHINERY}runtime.Unknown": {
        "typeMeta": {"$ref": f"#/$defs/{_MACHINERY}runtime.TypeMeta"},
        "raw": _RAW, "contentEncoding": _STRING, "contentType": _STRING,
    },
    f"{_EXTENSIONS}JSON": {"raw": _RAW},
    f"{_EXTENSIONS}JSONSchemaPropsOrArray": {
        "schema": _SCHEMA, "jSONSchemas": {"type": "array", "items": _SCHEMA},
    },
    f"{_EXTENSIONS}JSONSchemaPropsOrBool": {"allows": {"type": "boolean"}, "schema": _SCHEMA},
    f"{_EXTENSIONS}JSONSchemaPropsOrStringArray": {
        "schema": _SCHEMA, "property": {"type": "array", "items": _STRING},
    },
    **{
        f"io.k8s.api.{group}.v1.ExtraValue": {"items": {"type": "array", "items": _STRING}}
        for group in ("authentication", "authorization")
    },
}  # fmt: skip


def _time(sent: Obj, stamp: Callable[[datetime], str]) -> str | None:
    if not sent:
        return None  # Go's zero time, null in JSON
    seconds, nanos = sent.get("seconds", 0), sent.get("nanos", 0)
    if not 0 <= nanos < 10**9:
        raise WireError(f"nanos {nanos} are not in 0…999999999")
    try:
        return stamp(_EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000))
    except OverflowError:
        raise WireError(f"a time of {seconds} s is not in the years 1…9999") from None


def _raw_json(sent: Obj) -> Any:
    raw = sent.get("raw", b"")
    if not raw:
        return None
    try:
        return orjson.loads(raw)
    except ValueError as error:
        raise WireError(f"json parse error: {error}") from None


def _int_or_string(sent: Obj) -> int | str:
    kind = sent.get("type", 0)
    if kind not in (0, 1):
        raise WireError(f"impossible IntOrString.Type {kind}")
    value: int | str = sent.get("strVal", "") if kind else sent.get("intVal", 0)
    return value


# What JSON shows of them. None: as if the field were not set.
FINISH: dict[str, Callable[[Obj], Any]] = {
    f"{_META}Time": lambda sent: _time(sent, metadata.stamp),
    f"{_META}MicroTime": lambda sent: _time(sent, metadata.stamp_micro),
    f"{_META}FieldsV1": _raw_json,
    f"{_MACHINERY}api.resource.Quantity": lambda sent: sent.get("string", "0"),
    f"{_MACHINERY}util.intstr.IntOrString": _int_or_string,
    f"{_EXTENSIONS}JSON": _raw_json,
    f"{_EXTENSIONS}JSONSchemaPropsOrArray": lambda s: s.get("jSONSchemas") or s.get("schema"),
    f"{_EXTENSIONS}JSONSchemaPropsOrBool": lambda s: s.get("schema", bool(s.get("allows"))),
    f"{_EXTENSIONS}JSONSchemaPropsOrStringArray": lambda s: s.get("property") or s.get("schema"),
    **{
        f"io.k8s.api.{group}.v1.ExtraValue": lambda sent: sent.get("items", [])
        for group in ("authentication", "authorization")
    },
}
