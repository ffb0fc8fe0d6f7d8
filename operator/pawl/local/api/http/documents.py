"""/openapi/v3 and /openapi/v2, made when asked for and kept until the catalog changes."""

from __future__ import annotations

import orjson

from pawl.local.api.http.protobuf.openapi import encode
from pawl.local.api.kinds.custom import CustomKind
from pawl.local.api.resources import Catalog, Resource
from pawl.local.schema import openapi

_PROTOBUF = "/openapi/v2 as protobuf"


class OpenApi:
    """`version` is the server's."""

    def __init__(self, catalog: Catalog, version: str) -> None:
        self._catalog = catalog
        self._version = version
        self._made: dict[str, bytes] = {}
        self._revision = -1

    def document(self, path: str) -> bytes | None:
        """By path: /openapi/v2, /openapi/v3, /openapi/v3/apis/apps/v1. None if there is none."""
        if self._revision != self._catalog.revision:
            self._made, self._revision = {}, self._catalog.revision
        if path not in self._made:
            made = self._make(path)
            if made is None:
                return None
            self._made[path] = made
        return self._made[path]

    def protobuf(self) -> bytes:
        """/openapi/v2 as protobuf."""
        document = self.document("/openapi/v2") or b""
        if _PROTOBUF not in self._made:
            self._made[_PROTOBUF] = encode(document)
        return self._made[_PROTOBUF]

    def _make(self, path: str) -> bytes | None:
        resources = [_published(resource) for resource in self._catalog]
        if path == "/openapi/v2":
            return openapi.v2_document(resources, server=self._version)
        if path == "/openapi/v3":
            return orjson.dumps(openapi.v3_index(resources))
        try:
            root = path.removeprefix("/openapi/v3/")
            return openapi.v3_document(root, resources, server=self._version)
        except KeyError:
            return None


def _published(resource: Resource) -> openapi.Resource:
    behaviour = resource.behaviour
    custom = behaviour if isinstance(behaviour, CustomKind) else None
    return openapi.Resource(
        resource.group, resource.version, resource.kind, resource.plural, resource.namespaced,
        resource.subresources, custom.schema() if custom else None,
        tuple(custom.fields()) if custom else (),
    )  # fmt: skip
