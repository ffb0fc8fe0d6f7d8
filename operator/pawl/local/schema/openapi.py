"""The OpenAPI documents a cluster serves: /openapi/v3 (index and one document per group-version)
and /openapi/v2, built from the built-in definitions and the schemas of CRDs.

They hold what clients read: schemas with group-version-kind and patch extensions (`kubectl
explain`, strategic merge), and paths whose PATCH operations say which content types and query
parameters they take (`kubectl apply --validate`, `--dry-run`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from pawl.local.schema import definitions

Schema = dict[str, Any]
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_V3_REF, _V2_REF = "#/components/schemas/", "#/definitions/"
_JSON = "application/json"
_PATCHES = ("application/json-patch+json", "application/merge-patch+json")
_APPLY = ("application/apply-patch+yaml",)
_STRATEGIC = ("application/strategic-merge-patch+json",)
_PARAMETERS = {
    "dryRun": "When present, indicates that modifications should not be persisted.",
    "fieldManager": "fieldManager is a name associated with the actor or entity that is making "
    "these changes.",
    "fieldValidation": "fieldValidation instructs the server on how to handle objects in the "
    "request (POST/PUT/PATCH) containing unknown or duplicate fields: Ignore, Warn or Strict.",
}


_CONVENTIONS = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"


@dataclass(frozen=True)
class Resource:
    """One served resource. `schema` is a CRD's openAPIV3Schema; None for a built-in kind."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    subresources: tuple[str, ...] = ()
    schema: Schema | None = None
    selectable: tuple[str, ...] = ()  # paths that field selectors of a custom resource may name

    @property
    def gvk(self) -> dict[str, str]:
        return {"group": self.group, "kind": self.kind, "version": self.version}

    @property
    def root(self) -> str:
        """`api/v1` or `apis/<group>/<version>`."""
        return f"apis/{self.group}/{self.version}" if self.group else f"api/{self.version}"

    @property
    def definition(self) -> str:
        """The name of its definition: `io.k8s.api.apps.v1.Deployment`, `dev.pawl.v1alpha1.…`."""
        if self.schema is None:
            return definitions.names_by_kind()[self.group, self.version, self.kind]
        return ".".join([*reversed(self.group.split(".")), self.version, self.kind])


def v3_index(resources: Iterable[Resource]) -> dict[str, Any]:
    """/openapi/v3: where the document of every group-version is. The URL changes with content."""
    paths = {}
    for root, group in sorted(_by_root(resources).items()):
        state: list[Any] = [
            (r.kind, r.plural, r.namespaced, r.subresources, r.schema) for r in group
        ]
        state.append(definitions.KUBERNETES_VERSION)
        digest = hashlib.sha256(orjson.dumps(state)).hexdigest()[:32].upper()
        paths[root] = {"serverRelativeURL": f"/openapi/v3/{root}?hash={digest}"}
    return {"paths": paths}


def v3_document(root: str, resources: Iterable[Resource], *, server: str) -> bytes:
    """/openapi/v3/<root>: the JSON document of one group-version (`apis/apps/v1`). KeyError when
    nothing is served there. `server` is the version reported (`v1.36.0`)."""
    group = _by_root(resources)[root]
    document = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": server},
        "paths": {path: item for resource in group for path, item in _paths(resource)},
        "components": {"schemas": _schemas(group, _V3_REF)},
    }
    return orjson.dumps(document)


def v2_document(resources: Iterable[Resource], *, server: str) -> bytes:
    """/openapi/v2 as JSON, everything in one."""
    everything = list(resources)
    document = {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": server},
        "paths": {
            path: _v2_path(item) for resource in everything for path, item in _paths(resource)
        },
        "definitions": _schemas(everything, _V2_REF),
    }
    return orjson.dumps(document)


def _by_root(resources: Iterable[Resource]) -> dict[str, list[Resource]]:
    groups: dict[str, list[Resource]] = {}
    for resource in resources:
        groups.setdefault(resource.root, []).append(resource)
    return groups


def _paths(resource: Resource) -> Iterator[tuple[str, dict[str, Any]]]:
    scope = "namespaces/{namespace}/" if resource.namespaced else ""
    base = f"/{resource.root}/{scope}{resource.plural}"
    body = _V3_REF + resource.definition
    if resource.namespaced:
        everywhere = {"get": _operation(resource, "list", body + "List")}
        yield f"/{resource.root}/{resource.plural}", everywhere
    yield (
        base,
        {
            "get": _operation(resource, "list", body + "List"),
            "post": _operation(resource, "post", body, body=body),
            "delete": _operation(resource, "deletecollection", f"{_V3_REF}{_META}Status"),
        },
    )
    for suffix in ("", *(f"/{name}" for name in resource.subresources)):
        item = {
            "get": _operation(resource, "get", body),
            "put": _operation(resource, "put", body, body=body),
            "patch": _operation(resource, "patch", body, patch=True),
        }
        if not suffix:
            item["delete"] = _operation(resource, "delete", f"{_V3_REF}{_META}Status")
        yield f"{base}/{{name}}{suffix}", item


def _operation(
    resource: Resource, action: str, answer: str, *, body: str = "", patch: bool = False
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": [resource.root.replace("/", "_")],
        "responses": {
            "200": {"description": "OK", "content": {_JSON: {"schema": {"$ref": answer}}}}
        },
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": resource.gvk,
    }
    if not (body or patch):
        return operation
    known = {**_PARAMETERS, "force": "Force is going to force Apply requests."}
    operation["parameters"] = [
        {"name": name, "in": "query", "description": text,
         "schema": {"type": "boolean" if name == "force" else "string", "uniqueItems": True}}
        for name, text in (known if patch else _PARAMETERS).items()
    ]  # fmt: skip
    if patch:
        kinds = (*_APPLY, *_PATCHES, *(_STRATEGIC if resource.schema is None else ()))
        content = {name: {"schema": {"$ref": f"{_V3_REF}{_META}Patch"}} for name in kinds}
    else:
        content = {_JSON: {"schema": {"$ref": body}}}
    operation["requestBody"] = {"content": content, "required": True}
    return operation


def _v2_path(item: dict[str, Any]) -> dict[str, Any]:
    """The same operations as Swagger 2 words them."""
    result = {}
    for method, operation in item.items():
        content = operation["responses"]["200"]["content"][_JSON]["schema"]["$ref"]
        answer = {"$ref": _V2_REF + content.removeprefix(_V3_REF)}
        known = {key: value for key, value in operation.items() if key.startswith("x-")}
        result[method] = {
            **known,
            "consumes": list(operation.get("requestBody", {}).get("content", {"*/*": None})),
            "produces": [_JSON],
            "parameters": [
                {"name": p["name"], "in": "query", "description": p["description"],
                 "type": p["schema"]["type"], "uniqueItems": True}
                for p in operation.get("parameters", ())
            ],
            "responses": {"200": {"description": "OK", "schema": answer}},
        }  # fmt: skip
    return result


def _schemas(resources: list[Resource], prefix: str) -> dict[str, Schema]:
    """The definitions of the resources, their lists, and all that these refer to."""
    found: dict[str, Schema] = {}
    wanted = [f"{_META}{name}" for name in ("Status", "Patch", "DeleteOptions", "ListMeta")]
    for resource in resources:
        name = resource.definition
        if resource.schema is not None:
            found[name] = _custom(resource, prefix)
            found[f"{name}List"] = _custom_list(resource, prefix)
            wanted.append(f"{_META}ObjectMeta")
        else:
            wanted += [name, f"{name}List"]
    raw = definitions.raw()
    while wanted:
        name = wanted.pop()
        if name not in found and name in raw:
            found[name] = _published(raw[name], prefix, wanted)
    return dict(sorted(found.items()))


def _published(schema: Schema, prefix: str, wanted: list[str]) -> Schema:
    """A definition as servers publish it: no null types, references into the document. The
    definitions it refers to are added to `wanted`."""
    result: Schema = {}
    for key, value in schema.items():
        if key == "type" and isinstance(value, list):
            result[key] = next(kind for kind in value if kind != "null")
        elif key == "$ref":
            name = value.rpartition("/")[2]
            wanted.append(name)
            result |= {"allOf": [{"$ref": prefix + name}], "default": {}}
        elif key == "properties":
            result[key] = {name: _published(sub, prefix, wanted) for name, sub in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            result[key] = _published(value, prefix, wanted)
        elif key == "oneOf":
            result[key] = [_published(sub, prefix, wanted) for sub in value]
        elif key != "enum":
            result[key] = value
    if set(result) == {"allOf", "default"}:
        return result["allOf"][0]  # type: ignore[no-any-return]
    if prefix == _V2_REF and "allOf" in result:
        return {**result.pop("allOf")[0], **result}
    return result


def _either(schema: Schema) -> Schema:
    """What may be a number or a string says so to those who do not know the extension."""
    result = dict(schema)
    if schema.get("x-kubernetes-int-or-string"):
        result.setdefault("anyOf", [{"type": "integer"}, {"type": "string"}])
    if "properties" in schema:
        result["properties"] = {name: _either(sub) for name, sub in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            result[key] = _either(schema[key])
    return result


def _custom(resource: Resource, prefix: str) -> Schema:
    schema = _either(resource.schema or {})
    meta = definitions.raw()[f"{_META}Status"]["properties"]
    standard: Schema = {
        name: {"type": "string", "description": meta[name]["description"]}
        for name in ("apiVersion", "kind")
    }
    reference = {"$ref": f"{prefix}{_META}ObjectMeta"}
    text = f"Standard object's metadata. More info: {_CONVENTIONS}#metadata"
    standard["metadata"] = {"allOf": [reference], "description": text}
    paths = [{"fieldPath": path} for path in resource.selectable]
    selectable: Schema = {"x-kubernetes-selectable-fields": paths} if paths else {}
    return {
        "type": "object",
        **schema,
        "properties": {**standard, **{k: v for k, v in schema.get("properties", {}).items()
                                      if k not in standard}},
        "x-kubernetes-group-version-kind": [resource.gvk],
        **selectable,
    }  # fmt: skip


def _custom_list(resource: Resource, prefix: str) -> Schema:
    one = _custom(resource, prefix)
    own, selectable = one["properties"], "x-kubernetes-selectable-fields"
    return {
        "description": f"{resource.kind}List is a list of {resource.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": own["apiVersion"],
            "kind": own["kind"],
            "metadata": {
                "allOf": [{"$ref": f"{prefix}{_META}ListMeta"}],
                "description": f"Standard list metadata. More info: {_CONVENTIONS}#types-kinds",
            },
            "items": {
                "type": "array",
                "items": {"$ref": prefix + resource.definition},
                "description": f"List of {resource.plural}. More info: {_CONVENTIONS}",
            },
        },
        "x-kubernetes-group-version-kind": [{**resource.gvk, "kind": f"{resource.kind}List"}],
        **({selectable: one[selectable]} if selectable in one else {}),
    }
