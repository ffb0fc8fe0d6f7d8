"""Objects that the tests send."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
GROUP = "differential.pawl.dev"
WIDGETS = f"widgets.{GROUP}"
#: Where widgets are, for `Both`.
WIDGET = f"{GROUP}/v1/widgets"
LEASES = "coordination.k8s.io/v1/leases"


def config_map(name: str = "a", data: Any = None, **meta: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **meta},
        "data": {"x": "1"} if data is None else data,
    }


def lease(name: str = "a", **meta: Any) -> Object:
    """Of a kind of which a namespace has none by itself."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, **meta},
        "spec": {"holderIdentity": "me"},
    }


def container(name: str = "main", **more: Any) -> Object:
    return {"name": name, "image": "differential.invalid/none:1", **more}


def template(*containers: Object, **spec: Any) -> Object:
    pod = {"containers": list(containers or (container(),)), **spec}
    return {"metadata": {"labels": {"app": "a"}}, "spec": pod}


def workload(name: str = "a", *containers: Object, **spec: Any) -> Object:
    """An apps/v1 Deployment without pods."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "a"}},
            "template": template(*containers),
            **spec,
        },
    }


def job(name: str = "a", **spec: Any) -> Object:
    """Suspended: no pods."""
    pod = template(container(), restartPolicy="Never")
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"suspend": True, "template": pod, **spec},
    }


def service(name: str = "a", **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": "a"}, "ports": [{"port": 80}], **spec},
    }


def pod(name: str = "a", **spec: Any) -> Object:
    """One that no scheduler takes, and without a token."""
    made = {"containers": [container()], "schedulerName": "nobody", **spec}
    made.setdefault("automountServiceAccountToken", False)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": made}


def widget(name: str = "a", status: Any = None, **spec: Any) -> Object:
    made = {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}
    return made if status is None else {**made, "status": status}


def crd() -> Object:
    """Widget: defaults, rules, the list types, columns, selectable fields, status, scale."""
    port = {
        "type": "object",
        "required": ["name", "port"],
        "properties": {
            "name": {"type": "string"},
            "port": {"type": "integer"},
            "protocol": {"type": "string", "default": "TCP"},
        },
    }
    spec = {
        "type": "object",
        "properties": {
            "replicas": {"type": "integer", "format": "int32", "minimum": 0, "default": 1},
            "size": {"type": "string", "maxLength": 9, "enum": ["small", "large"]},
            "short": {"type": "string", "maxLength": 5, "pattern": "^[a-z]*$"},
            "any": {"x-kubernetes-int-or-string": True},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "secret": {"type": "string", "nullable": True},
            "when": {"type": "string", "format": "date-time"},
            "fixed": {
                "type": "string",
                "maxLength": 20,
                "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "is fixed"}],
            },
            "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "steps": {"type": "array", "maxItems": 3, "items": {"type": "integer"}},
            "ports": {
                "type": "array",
                "items": port,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "x-kubernetes-validations": [
            {
                "rule": "!has(self.size) || self.size != 'small' || self.replicas < 5",
                "messageExpression": "self.size + ' ones have no 5 replicas'",
                "reason": "FieldValueForbidden",
                "fieldPath": ".replicas",
            }
        ],
    }
    status = {
        "type": "object",
        "properties": {
            "replicas": {"type": "integer"},
            "phase": {"type": "string"},
            "selector": {"type": "string"},
        },
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "required": ["spec"],
                "properties": {"spec": spec, "status": status},
            }
        },
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "selectableFields": [{"jsonPath": ".spec.size"}],
        "additionalPrinterColumns": [
            {"name": "Size", "type": "string", "jsonPath": ".spec.size"},
            {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
            {"name": "When", "type": "date", "jsonPath": ".spec.when", "priority": 1},
            {"name": "Tags", "type": "string", "jsonPath": ".spec.tags"},
        ],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": WIDGETS},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": "Widget",
                "plural": "widgets",
                "singular": "widget",
                "listKind": "WidgetList",
                "shortNames": ["wd"],
                "categories": ["all"],
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }
