"""Renders the CustomResourceDefinitions from the pydantic models.

Pydantic's JSON schema is not a structural schema: `$ref`, `anyOf [T, null]`, `const`, titles and
`additionalProperties: false` are rewritten here. CEL rules travel in `json_schema_extra`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from pawl.api.deployment import Deployment
from pawl.api.modelversion import ModelVersion
from pawl.api.trainingjob import TrainingJob
from pawl.constants import GROUP, VERSION

#: Keywords of a structural schema that pass through unchanged.
_KEPT = frozenset(
    {
        "type", "format", "description", "default", "enum", "pattern", "minLength", "maxLength",
        "minItems", "maxItems", "maxProperties", "minimum", "maximum", "exclusiveMinimum",
        "exclusiveMaximum",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """How one kind is named and shown."""

    model: type[BaseModel]
    kind: str
    plural: str
    short: str
    names: str  # pattern of metadata.name
    columns: tuple[tuple[str, str, str, int], ...]  # name, type, JSONPath, priority


_LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_VERSION = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?-v[1-9][0-9]{0,5}$"
_SERVICE = "^[a-z]([-a-z0-9]*[a-z0-9])?$"  # RFC 1035: a Service has the same name

_READY = ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0)
_AGE = ("Age", "date", ".metadata.creationTimestamp", 0)

KINDS = (
    Kind(
        TrainingJob, "TrainingJob", "trainingjobs", "tj", _LABEL,
        (
            ("Model", "string", ".spec.model", 0),
            ("Phase", "string", ".status.phase", 0),
            ("Run", "integer", ".status.run.number", 0),
            ("Progress", "integer", ".status.progress", 0),
            ("Score", "string", ".status.score", 0),
            ("Version", "string", ".status.modelVersion", 0),
            ("Reason", "string", '.status.conditions[?(@.type=="Failed")].message', 1),
            _AGE,
        ),
    ),
    Kind(
        ModelVersion, "ModelVersion", "modelversions", "mv", _VERSION,
        (
            ("Model", "string", ".spec.model", 0),
            ("Version", "integer", ".spec.version", 0),
            ("Stage", "string", ".status.stage", 0),
            ("Approval", "string", ".spec.approval", 0),
            ("Score", "string", ".status.score", 0),
            ("Verified", "string", '.status.conditions[?(@.type=="ArtifactVerified")].status', 0),
            ("Digest", "string", ".spec.artifact.digest", 1),
            _AGE,
        ),
    ),
    Kind(
        Deployment, "Deployment", "modeldeployments", "mdep", _SERVICE,
        (
            ("Model", "string", ".spec.model", 0),
            ("Wanted", "string", ".spec.version", 0),
            ("Serving", "string", ".status.stable.name", 0),
            ("Candidate", "string", ".status.candidate.name", 0),
            ("Weight", "integer", ".status.rollout.weight", 0),
            ("Phase", "string", ".status.phase", 0),
            _READY,
            ("Replicas", "integer", ".status.readyReplicas", 0),
            ("Drifted", "string", '.status.conditions[?(@.type=="Drifted")].status', 0),
            ("URL", "string", ".status.url", 1),
            ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1),
            _AGE,
        ),
    ),
)  # fmt: skip


def all_crds() -> list[dict[str, Any]]:
    """The CustomResourceDefinitions of the three kinds, in a fixed order."""
    return [crd(kind) for kind in KINDS]


def crd(kind: Kind) -> dict[str, Any]:
    """One CustomResourceDefinition (apiextensions.k8s.io/v1)."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.plural.removesuffix("s"),
                "shortNames": [kind.short],
                "categories": ["pawl"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": object_schema(kind)},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": name, "type": type_, "jsonPath": path}
                        | ({"priority": priority} if priority else {})
                        for name, type_, path, priority in kind.columns
                    ],
                }
            ],
        },
    }


def object_schema(kind: Kind) -> dict[str, Any]:
    """The structural schema of a whole object of a kind."""
    raw = kind.model.model_json_schema(by_alias=True)
    schema = _structural(raw, raw.get("$defs", {}))
    schema["properties"] = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        # bounded: a name becomes the value of a label, and CEL rules that look at it have a cost
        "metadata": {
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 63, "pattern": kind.names}},
        },
        **schema["properties"],
    }
    schema["properties"]["status"]["default"] = {"observedGeneration": -1}
    schema["required"] = ["spec"]
    return schema


def _structural(node: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    node = _resolve(node, defs)
    if node.get("x-kubernetes-preserve-unknown-fields"):
        return _free_form(node)
    out = {key: value for key, value in node.items() if key in _KEPT}
    out |= {key: value for key, value in node.items() if key.startswith("x-kubernetes-")}
    if out.get("x-kubernetes-int-or-string"):
        out.pop("type", None)
    if "const" in node:
        out["enum"] = [node["const"]]
    for keyword, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if keyword in out:  # OpenAPI 3.0: a flag beside the bound
            out[limit], out[keyword] = out[keyword], True
    if "properties" in node:
        out["properties"] = {
            name: _structural(child, defs) for name, child in node["properties"].items()
        }
        if node.get("required"):
            out["required"] = node["required"]
    elif isinstance(node.get("additionalProperties"), dict):
        out["additionalProperties"] = _structural(node["additionalProperties"], defs)
    if "items" in node:
        out["items"] = _structural(node["items"], defs)
    if "default" in out:
        out["default"] = _sparse(out["default"])
        if out["default"] in (None, []):
            del out["default"]
    return out


def _sparse(value: Any) -> Any:
    """A default without nulls and empty lists. Objects are spelled out, since CEL rules are tried
    on a default as it stands, before the defaults of its parts."""
    if not isinstance(value, dict):
        return value
    sparse = {key: _sparse(child) for key, child in value.items()}
    return {key: child for key, child in sparse.items() if child not in (None, [])}


def _free_form(node: dict[str, Any]) -> dict[str, Any]:
    keep = ("description", "maxProperties", "x-kubernetes-preserve-unknown-fields")
    return {"type": "object"} | {key: node[key] for key in keep if key in node}


def _resolve(node: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    """Inlines `$ref` and unwraps the optional `anyOf [T, null]`; outer keys win."""
    node = {key: value for key, value in node.items() if key != "title"}
    if "$ref" in node:
        target = defs[node.pop("$ref").rsplit("/", 1)[1]]
        return _merge(_resolve(target, defs), node)
    variants = node.pop("anyOf", None)
    if variants is not None:
        if node.get("x-kubernetes-int-or-string"):
            return node
        real = [variant for variant in variants if variant.get("type") != "null"]
        if len(real) != 1:
            raise ValueError(f"not structural: {variants}")
        return _merge(_resolve(real[0], defs), node)
    return node


def _merge(inner: dict[str, Any], outer: dict[str, Any]) -> dict[str, Any]:
    rules = [
        *inner.get("x-kubernetes-validations", []),
        *outer.get("x-kubernetes-validations", []),
    ]
    merged = {**inner, **outer}
    return merged | ({"x-kubernetes-validations": rules} if rules else {})
