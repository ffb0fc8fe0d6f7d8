"""Discovery: /api, /apis and what is below them, in the old form and the aggregated one."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Any

import orjson

from pawl.local.api.http import custommetrics
from pawl.local.api.resources import Catalog, Resource, group_version

Obj = dict[str, Any]

# Reviews are created and answered, never stored.
REVIEWS: dict[tuple[str, str], tuple[tuple[str, str, bool], ...]] = {
    ("authorization.k8s.io", "v1"): (
        ("localsubjectaccessreviews", "LocalSubjectAccessReview", True),
        ("selfsubjectaccessreviews", "SelfSubjectAccessReview", False),
        ("selfsubjectrulesreviews", "SelfSubjectRulesReview", False),
        ("subjectaccessreviews", "SubjectAccessReview", False),
    ),
    ("authentication.k8s.io", "v1"): (
        ("selfsubjectreviews", "SelfSubjectReview", False),
        ("tokenreviews", "TokenReview", False),
    ),
}
_ORDER = (
    "", "apps", "events.k8s.io", "authentication.k8s.io", "authorization.k8s.io", "autoscaling",
    "batch", "networking.k8s.io", "policy", "rbac.authorization.k8s.io", "apiextensions.k8s.io",
    "coordination.k8s.io", "discovery.k8s.io",
)  # fmt: skip
_SUBRESOURCE_KINDS = {
    ("pods", "binding"): ("", "v1", "Binding", ("create",)),
    ("pods", "eviction"): ("policy", "v1", "Eviction", ("create",)),
    ("pods", "log"): ("", "v1", "Pod", ("get",)),
    ("namespaces", "finalize"): ("", "v1", "Namespace", ("update",)),
    ("serviceaccounts", "token"): ("authentication.k8s.io", "v1", "TokenRequest", ("create",)),
}
_SUBRESOURCE_VERBS = ("get", "patch", "update")


class Discovery:
    """Documents are made when they are asked for, and anew when the catalog has changed."""

    def __init__(self, catalog: Catalog, pod_metric: str = "") -> None:
        """`pod_metric`: the one that custom.metrics.k8s.io tells, if any."""
        self._catalog = catalog
        self._pod_metric = pod_metric
        self._made: dict[str, bytes] = {}
        self._revision = -1

    def document(self, path: str, aggregated: str = "") -> bytes | None:
        """The document at a path like /apis/apps/v1; None when there is none. `aggregated` is the
        version of apidiscovery.k8s.io, for /api and /apis."""
        if self._revision != self._catalog.revision:
            self._made, self._revision = {}, self._catalog.revision
        key = f"{path} {aggregated}"
        if key not in self._made:
            document = self._make(path, aggregated)
            if document is None:
                return None
            self._made[key] = orjson.dumps(document)
        return self._made[key]

    @staticmethod
    def etag(body: bytes) -> str:
        return f'"{hashlib.sha256(body).hexdigest().upper()}"'

    def _make(self, path: str, aggregated: str) -> Obj | None:
        parts = path.strip("/").split("/")
        if parts == ["api"]:
            return self._aggregated([""], aggregated) if aggregated else _legacy_versions()
        if parts == ["apis"]:
            groups = [group for group in self._groups() if group]
            return self._aggregated(groups, aggregated) if aggregated else self._group_list(groups)
        if parts == ["api", "v1"]:
            return self._resource_list("", "v1")
        if parts[0] != "apis" or parts[1] not in self._groups():
            return None
        if len(parts) == 2:
            return {"kind": "APIGroup", "apiVersion": "v1", **self._group(parts[1])}
        return self._resource_list(parts[1], parts[2]) if len(parts) == 3 else None

    def _groups(self) -> list[str]:
        found = {resource.group for resource in self._catalog} | {group for group, _ in REVIEWS}
        if self._pod_metric:
            found.add(custommetrics.GROUP)
        known = [group for group in _ORDER if group in found]
        return known + sorted(found.difference(_ORDER))

    def _versions(self, group: str) -> list[str]:
        found = {r.version for r in self._catalog if r.group == group}
        found |= {version for own, version in REVIEWS if own == group}
        if group == custommetrics.GROUP:
            found.add(custommetrics.VERSION)
        return sorted(found, key=_priority)

    def _group(self, group: str) -> Obj:
        versions = [
            {"groupVersion": group_version(group, version), "version": version}
            for version in self._versions(group)
        ]
        return {"name": group, "versions": versions, "preferredVersion": versions[0]}

    def _group_list(self, groups: list[str]) -> Obj:
        return {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [self._group(group) for group in groups],
        }

    def _resources(self, group: str, version: str) -> list[Resource]:
        found = [r for r in self._catalog if (r.group, r.version) == (group, version)]
        return sorted(found, key=lambda r: r.plural)

    def _resource_list(self, group: str, version: str) -> Obj | None:
        if version not in self._versions(group):
            return None
        entries = [e for r in self._resources(group, version) for e in _entries(r)]
        if group == custommetrics.GROUP:
            entries.append(custommetrics.entry(self._pod_metric))
        for plural, kind, namespaced in REVIEWS.get((group, version), ()):
            entries.append(
                {
                    "name": plural,
                    "singularName": kind.lower(),
                    "namespaced": namespaced,
                    "kind": kind,
                    "verbs": ["create"],
                }
            )
        return {
            "kind": "APIResourceList",
            **({"apiVersion": "v1"} if group else {}),
            "groupVersion": group_version(group, version),
            "resources": entries,
        }

    def _aggregated(self, groups: Iterable[str], version: str) -> Obj:
        items = []
        for group in groups:
            versions = [
                {
                    "version": one,
                    "resources": [*map(_aggregated_entry, self._resources(group, one)),
                                  *_aggregated_reviews(group, one),
                                  *self._aggregated_metrics(group)],
                    "freshness": "Current",
                }
                for one in self._versions(group)
            ]  # fmt: skip
            items.append({"metadata": {"name": group} if group else {}, "versions": versions})
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": items,
        }

    def _aggregated_metrics(self, group: str) -> list[Obj]:
        """As the aggregator turns a subresource without a resource into the new form."""
        if group != custommetrics.GROUP:
            return []
        plural, _, metric = custommetrics.entry(self._pod_metric)["name"].partition("/")
        told = _kind("", "", "MetricValueList")
        sub = {"subresource": metric, "responseKind": told, "verbs": ["get"]}
        nothing = {"responseKind": _kind("", "", ""), "singularResource": "", "verbs": []}
        return [{"resource": plural, "scope": "Namespaced", **nothing, "subresources": [sub]}]


def _priority(version: str) -> tuple[int, int, int, str]:
    """Kubernetes' order of versions: v2, v1, v1beta1, v1alpha1, then everything else."""
    stable, _, rest = version.removeprefix("v").partition("beta")
    if rest:
        return (
            (1, -int(stable), -int(rest), "") if (stable + rest).isdigit() else (3, 0, 0, version)
        )
    stable, _, rest = version.removeprefix("v").partition("alpha")
    if rest:
        return (
            (2, -int(stable), -int(rest), "") if (stable + rest).isdigit() else (3, 0, 0, version)
        )
    return (0, -int(stable), 0, "") if stable.isdigit() else (3, 0, 0, version)


def _legacy_versions() -> Obj:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def _entries(resource: Resource) -> list[Obj]:
    entry: Obj = {
        "name": resource.plural,
        "singularName": resource.singular_name,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    entry |= _also_called(resource)
    entry["storageVersionHash"] = _storage_hash(resource)
    return [entry, *(_subentry(resource, sub) for sub in sorted(resource.subresources))]


def _also_called(resource: Resource) -> Obj:
    names = {"shortNames": list(resource.short_names), "categories": list(resource.categories)}
    return {key: value for key, value in names.items() if value}


def _storage_hash(resource: Resource) -> str:
    version = resource.storage_version or resource.version
    text = f"{resource.group}/{version}/{resource.kind}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def _subentry(resource: Resource, sub: str) -> Obj:
    group, version, kind, verbs = _subresource(resource, sub)
    entry: Obj = {
        "name": f"{resource.plural}/{sub}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": kind,
        "verbs": list(verbs),
    }
    if (group, version) != (resource.group, resource.version):
        entry |= {"group": group, "version": version}
    return entry


def _subresource(resource: Resource, sub: str) -> tuple[str, str, str, tuple[str, ...]]:
    if sub == "scale":
        return "autoscaling", "v1", "Scale", _SUBRESOURCE_VERBS
    own = (resource.group, resource.version, resource.kind, _SUBRESOURCE_VERBS)
    return _SUBRESOURCE_KINDS.get((resource.plural, sub), own) if not resource.group else own


def _aggregated_entry(resource: Resource) -> Obj:
    entry: Obj = {
        "resource": resource.plural,
        "responseKind": _kind(*_told(resource), resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular_name,
        "verbs": list(resource.verbs),
    }
    entry |= _also_called(resource)
    if resource.subresources:
        entry["subresources"] = [_aggregated_sub(resource, s) for s in _subresources(resource)]
    return entry


def _aggregated_sub(resource: Resource, sub: str) -> Obj:
    group, version, kind, verbs = _subresource(resource, sub)
    if (group, version) == (resource.group, resource.version):
        group, version = _told(resource)
    return {"subresource": sub, "responseKind": _kind(group, version, kind), "verbs": list(verbs)}


def _told(resource: Resource) -> tuple[str, str]:
    """Group and version of an answer, which built-in kinds leave out when they are the same."""
    return (resource.group, resource.version) if resource.storage_version else ("", "")


def _subresources(resource: Resource) -> list[str]:
    """Custom resources have `status` first."""
    return sorted(resource.subresources, reverse=bool(resource.storage_version))


def _aggregated_reviews(group: str, version: str) -> list[Obj]:
    return [
        {
            "resource": plural,
            "responseKind": _kind("", "", kind),
            "scope": "Namespaced" if namespaced else "Cluster",
            "singularResource": kind.lower(),
            "verbs": ["create"],
        }
        for plural, kind, namespaced in REVIEWS.get((group, version), ())
    ]


def _kind(group: str, version: str, kind: str) -> Obj:
    return {"group": group, "version": version, "kind": kind}
