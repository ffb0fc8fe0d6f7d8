"""Reading what a client sends: size limit, content types; JSON, YAML and protobuf."""

from __future__ import annotations

from typing import Any

import orjson
import yaml
from aiohttp import web

from pawl.local.api import errors
from pawl.local.api.http.protobuf import decoder as protobuf
from pawl.local.api.http.protobuf.wire import WireError
from pawl.local.api.patching import PatchKind
from pawl.local.safeyaml import BoundedLoader
from pawl.local.schema.decode import decode_strict

Obj = dict[str, Any]
LIMIT = 3 * 1024 * 1024
_JSON = ("application/json", "")
_YAML = ("application/yaml", "application/apply-patch+yaml", "text/yaml")
PATCHES: dict[str, PatchKind] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}


async def read(request: web.BaseRequest) -> bytes:
    """ApiError 413 for what is too large."""
    if (request.content_length or 0) > LIMIT:
        raise errors.too_large(LIMIT)
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > LIMIT:
            raise errors.too_large(LIMIT)
    return bytes(body)


def media_type(request: web.BaseRequest) -> str:
    return request.headers.get("Content-Type", "").split(";")[0].strip().lower()


async def decoded(
    request: web.BaseRequest, kind: str, *, strict: bool, custom: bool = False
) -> tuple[Obj, tuple[str, ...]]:
    """An object and (`strict`) the paths of keys that came twice. ApiError 400, 413, 415. A custom
    resource has to say its kind."""
    sent = media_type(request)
    if sent == protobuf.MEDIA_TYPE:
        return decoded_protobuf(await read(request)), ()
    if sent not in _JSON + _YAML:
        raise errors.unsupported_media_type(
            ["application/json", "application/yaml", protobuf.MEDIA_TYPE]
        )
    raw = await read(request)
    try:
        value, repeated = parse(raw, yaml_body=sent in _YAML, strict=strict)
    except errors.ApiError as error:
        raise _unrecognized(kind, error.message, raw) from None
    if not isinstance(value, dict):
        text = f"json parse error: json: cannot unmarshal {_go_kind(value)} into {_TYPE_META}"
        raise _unrecognized(kind, text, raw)
    if custom and not value.get("kind"):
        shown = raw.decode(errors="replace")
        raise errors.bad_request(
            f"the object provided is unrecognized (must be of type {kind}): Object 'Kind' is "
            f"missing in '{shown}' ({shown[:1024]})"
        )
    return value, repeated


def decoded_protobuf(raw: bytes) -> Obj:
    """ApiError 400; 415 for kinds that have no protobuf form, as custom resources."""
    try:
        return protobuf.decode(raw)
    except protobuf.UnknownKindError:
        raise errors.unsupported_media_type(["application/json", "application/yaml"]) from None
    except WireError as error:
        raise errors.bad_request(f"protobuf parse error: {error}") from None


_TYPE_META = (
    'Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string '
    '"json:\\"kind,omitempty\\"" }'
)


def _unrecognized(kind: str, why: str, raw: bytes) -> errors.ApiError:
    shown = raw[:30].hex() if raw[:1] != b"{" else raw[:1024].decode(errors="replace")
    return errors.bad_request(
        f"the object provided is unrecognized (must be of type {kind}): couldn't get "
        f"version/kind; {why} ({shown or '<empty>'})"
    )


def parse(body: bytes, *, yaml_body: bool, strict: bool) -> tuple[Any, tuple[str, ...]]:
    """ApiError 400 for what cannot be read."""
    try:
        if yaml_body and body[:1] != b"{":
            return yaml.load(body, Loader=_Loader), ()  # noqa: S506 - a safe loader
        if strict:
            value, repeated = decode_strict(body)
            return value, tuple(repeated)
        return orjson.loads(body), ()
    except yaml.YAMLError as error:
        raise errors.bad_request(f"error decoding YAML: {error}") from None
    except ValueError as error:
        raise errors.bad_request(f"json parse error: {_go_words(error, body)}") from None
    except RecursionError:
        raise errors.bad_request("json parse error: exceeded max depth") from None


def _go_words(error: ValueError, body: bytes) -> str:
    """What encoding/json says of a text that ends too early; else Python's own words."""
    cut = getattr(error, "pos", -1) >= len(body.rstrip())
    return "unexpected end of JSON input" if cut else str(error)


class _Loader(BoundedLoader):
    """YAML as sigs.k8s.io/yaml reads it: no dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


async def patch(request: web.BaseRequest) -> tuple[Any, PatchKind, tuple[str, ...]]:
    """The patch, its kind, and repeated keys. ApiError 400, 413, 415."""
    kind = PATCHES.get(media_type(request))
    if kind is None:
        raise errors.unsupported_patch()
    try:
        value, repeated = parse(await read(request), yaml_body=kind == "apply", strict=True)
    except errors.ApiError as error:
        if kind == "apply":
            raise
        words = error.message.removeprefix("json parse error: ")
        if kind != "strategic":
            words = f"error decoding patch: {words}"
        raise errors.bad_request(words) from None
    return value, kind, repeated


async def optional(request: web.BaseRequest) -> Obj:
    """A body that may be missing (DeleteOptions)."""
    body = await read(request)
    if not body:
        return {}
    if media_type(request) == protobuf.MEDIA_TYPE:
        return decoded_protobuf(body)
    try:
        value, _ = parse(body, yaml_body=media_type(request) in _YAML, strict=False)
    except errors.ApiError as error:
        raise errors.bad_request(f"couldn't get version/kind; {error.message}") from None
    if not isinstance(value, dict):
        raise errors.bad_request("the body is no DeleteOptions")
    if (kind := value.get("kind", "DeleteOptions")) != "DeleteOptions":
        scheme = "pkg/apis/meta/internalversion/scheme/register.go:27"
        version = value.get("apiVersion", "")
        raise errors.bad_request(
            f'no kind "{kind}" is registered for version "{version}" in scheme "{scheme}"'
        )
    return value


def _go_kind(value: Any) -> str:
    names = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    return names.get(type(value), "null")
