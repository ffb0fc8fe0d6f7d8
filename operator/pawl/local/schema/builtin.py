"""Built-in kinds, decoded and checked from their OpenAPI definitions."""

from __future__ import annotations

from typing import Any

from pawl.local.schema import causes, definitions, gotypes, prune
from pawl.local.schema.causes import Cause
from pawl.local.schema.definitions import GVK, Schema

# Required in OpenAPI only because Go always writes them; the API server accepts them absent.
_NOT_ASKED_FOR = frozenset(
    {
        ("v1.HTTPHeader", "value"),
        ("v1.Sysctl", "value"),
        ("v1.Event", "metadata"),
        ("v1.Event", "eventTime"),
        ("v1.JobSpec", "template"),
        ("v1.DeploymentSpec", "template"),
        ("v1.PodFailurePolicyOnExitCodesRequirement", "values"),
    }
)
# Struct fields (not pointers) that hold a template: absent is the same as empty there, and what
# the API server then misses is inside.
_TEMPLATES = frozenset({"v1.PodTemplateSpec", "v1.JobTemplateSpec", "v1.JobSpec", "v1.PodSpec"})


class Builtins:
    """The kinds of one Kubernetes version. Every method takes (group, version, kind) and raises
    KeyError for a kind that does not exist. Nothing is loaded before the first call."""

    version = definitions.KUBERNETES_VERSION

    def schema(self, group: str, version: str, kind: str) -> Schema:
        """The schema in the form of a structural schema, references followed. Shared: do not
        change it. It may be cyclic."""
        return definitions.resolve(definitions.names_by_kind()[group, version, kind])

    def type_error(self, gvk: GVK, obj: dict[str, Any]) -> str | None:
        """Go's words for the first value of a wrong type; a 400 with
        `Deployment in version "v1" cannot be handled as a Deployment: <words>`."""
        return gotypes.type_error(obj, self.schema(*gvk))

    def unknown_fields(self, gvk: GVK, obj: dict[str, Any]) -> list[str]:
        """Sorted paths of fields that do not exist, for `unknown field "spec.foo"`."""
        return sorted(_unknown(obj, self.schema(*gvk), ""))

    def prune(self, gvk: GVK, obj: dict[str, Any]) -> list[str]:
        """Remove unknown fields and nulls in place, as a round trip through the Go type does;
        the paths of the unknown fields, sorted."""
        schema = self.schema(*gvk)
        unknown = sorted(_unknown(obj, schema, "", remove=True))
        _drop_nulls(obj, schema)
        return unknown

    def validate(self, gvk: GVK, obj: dict[str, Any]) -> list[Cause]:
        """Required fields that are missing or empty (status aside: controllers own it)."""
        schema = self.schema(*gvk)
        desired = {name: value for name, value in obj.items() if name != "status"}
        if desired.get("spec") is None and "properties" in schema["properties"].get("spec", {}):
            desired["spec"] = {}
        return _required(desired, schema, "")


def _unknown(value: Any, schema: Schema, path: str, *, remove: bool = False) -> list[str]:
    found: list[str] = []
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return found
    if isinstance(value, list):
        for at, item in enumerate(value):
            found += _unknown(item, schema.get("items", {}), causes.index(path, at), remove=remove)
    elif isinstance(value, dict):
        fields, rest = schema.get("properties"), prune.additional(schema)
        for name in list(value):
            place = causes.child(path, name)
            if fields and name in fields:
                found += _unknown(value[name], fields[name], place, remove=remove)
            elif rest is not None:
                found += _unknown(value[name], rest, place, remove=remove)
            elif fields is not None or schema.get("type") == "object":
                found.append(place)
                if remove:
                    del value[name]
    return found


def _drop_nulls(value: Any, schema: Schema) -> None:
    """A null field of a struct is no field; a null in a map of strings is the empty string."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, list):
        for item in value:
            _drop_nulls(item, schema.get("items", {}))
    elif isinstance(value, dict):
        fields, rest = schema.get("properties", {}), prune.additional(schema) or {}
        for name in list(value):
            if value[name] is not None:
                _drop_nulls(value[name], fields.get(name, rest))
            elif name not in fields and rest.get("type") == "string":
                value[name] = ""
            else:
                del value[name]


def _required(value: Any, schema: Schema, path: str) -> list[Cause]:
    found: list[Cause] = []
    if isinstance(value, list):
        for at, item in enumerate(value):
            whole = {} if item is None else item
            found += _required(whole, schema.get("items", {}), causes.index(path, at))
    elif isinstance(value, dict) and "properties" in schema:
        fields = schema["properties"]
        owner = schema.get("x-go-type", "")
        for name in schema.get("required", ()):
            if (owner, name) not in _NOT_ASKED_FOR and value.get(name) in (None, "", []):
                found.append(causes.required(causes.child(path, name)))
        for name, sub in fields.items():
            if name in value:
                found += _required(value[name], sub, causes.child(path, name))
            elif sub.get("x-go-type") in _TEMPLATES:
                found += _required({}, sub, causes.child(path, name))
    elif isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        for name, item in value.items():
            found += _required(item, schema["additionalProperties"], causes.key(path, name))
    return found
