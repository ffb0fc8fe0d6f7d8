"""What a request is about, read from its method, path and query
(apiserver pkg/endpoints/request/requestinfo.go)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from pawl.local.api import errors
from pawl.local.api.resources import Catalog, Resource


@dataclass(frozen=True)
class Target:
    """A resource request. `name` is empty for collections, `namespace` for cluster scope or all
    namespaces."""

    resource: Resource
    namespace: str
    name: str
    subresource: str
    watched: bool = False  # by the old /watch/ path


def target(path: str, catalog: Catalog) -> Target | None:
    """None when the path is none of a resource that is served."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[:2] == ["api", "v1"]:
        group, version, rest = "", "v1", parts[2:]
    elif parts[0] == "apis" and len(parts) >= 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    watched = rest[:1] == ["watch"]
    if watched:
        rest = rest[1:]
    namespace = ""
    if len(rest) >= 2 and rest[0] == "namespaces" and not _own_subresource(rest):
        namespace, rest = rest[1], rest[2:]
        if not rest:
            namespace, rest = "", ["namespaces", namespace]
    if not 1 <= len(rest) <= 3:
        return None
    resource = catalog.served(group, version, rest[0])
    if resource is None:
        return None
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    known = not subresource or subresource in resource.subresources
    scoped = bool(namespace) == resource.namespaced or (resource.namespaced and not name)
    if not known or not scoped:
        return None
    return Target(resource, namespace, name, subresource, watched)


def _own_subresource(rest: list[str]) -> bool:
    """/namespaces/{name}/status is about the namespace itself."""
    return len(rest) == 3 and rest[2] in ("finalize", "status")


def verb(method: str, found: Target) -> str:
    """ApiError 405 for methods that the resource does not have."""
    named = bool(found.name)
    verbs = {
        ("GET", True): "get",
        ("GET", False): "list",
        ("HEAD", True): "get",
        ("POST", False): "create",
        ("PUT", True): "update",
        ("PATCH", True): "patch",
        ("DELETE", True): "delete",
        ("DELETE", False): "deletecollection",
    }
    wanted = "create" if method == "POST" and found.subresource else verbs.get((method, named))
    if wanted is None or (not found.subresource and wanted not in found.resource.verbs):
        raise errors.method_not_allowed()
    if wanted == "create" and found.resource.namespaced and not found.namespace:
        raise errors.method_not_allowed()
    return wanted
