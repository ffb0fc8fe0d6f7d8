"""Defaults of pod specs (pkg/apis/core/v1/defaults.go), in pods and in templates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Obj = dict[str, Any]

CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
_FILE_MODE = 0o644
_MODE_VOLUMES = ("secret", "configMap", "downwardAPI", "projected")


def containers(spec: Obj) -> Iterator[Obj]:
    for name in CONTAINER_LISTS:
        yield from spec.get(name) or ()


def default_template(template: Obj) -> None:
    """A pod template: what is defaulted in pods only is left alone."""
    template.setdefault("metadata", {})
    default_spec(template.setdefault("spec", {}))


def default_pod(pod: Obj) -> None:
    spec = pod.setdefault("spec", {})
    default_spec(spec)
    for name in ("initContainers", "containers"):
        for container in spec.get(name) or ():
            _requests_from_limits(container)
    spec.setdefault("enableServiceLinks", True)
    if spec.get("hostNetwork"):
        for container in containers(spec):
            for port in container.get("ports") or ():
                port.setdefault("hostPort", port.get("containerPort"))


def default_spec(spec: Obj) -> None:
    if "serviceAccount" in spec and "serviceAccountName" not in spec:
        spec["serviceAccountName"] = spec["serviceAccount"]
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    _fill(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
    )
    spec.setdefault("securityContext", {})
    for container in containers(spec):
        _default_container(container)
    for volume in spec.get("volumes") or ():
        _default_volume(volume)


def _fill(obj: Obj, **defaults: Any) -> None:
    """Set what is absent or, for strings, empty."""
    for field, value in defaults.items():
        if obj.get(field) in (None, ""):
            obj[field] = value


def _requests_from_limits(container: Obj) -> None:
    resources = container.get("resources") or {}
    if resources.get("limits"):
        resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}


def _default_container(container: Obj) -> None:
    latest = image_tag(str(container.get("image", ""))) == "latest"
    _fill(
        container,
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy="Always" if latest else "IfNotPresent",
    )
    container.setdefault("resources", {})
    for port in container.get("ports") or ():
        _fill(port, protocol="TCP")
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference is not None:
            _fill(reference, apiVersion="v1")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe) is not None:
            _default_probe(container[probe])
    for handler in (container.get("lifecycle") or {}).values():
        if isinstance(handler, dict):
            _default_http_get(handler)


def image_tag(image: str) -> str:
    """`latest` when there is neither a tag nor a digest."""
    if "@" in image:
        return ""
    found = re.search(r":([^/:]+)$", image)
    return found[1] if found else "latest"


def _default_probe(probe: Obj) -> None:
    for field, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        if not probe.get(field):
            probe[field] = value
    _default_http_get(probe)
    if probe.get("grpc") is not None:
        probe["grpc"].setdefault("service", "")


def _default_http_get(handler: Obj) -> None:
    if handler.get("httpGet") is not None:
        _fill(handler["httpGet"], path="/", scheme="HTTP")


def _default_volume(volume: Obj) -> None:
    if not any(value is not None for field, value in volume.items() if field != "name"):
        volume["emptyDir"] = {}
    for source in _MODE_VOLUMES:
        if volume.get(source) is not None:
            volume[source].setdefault("defaultMode", _FILE_MODE)
    if volume.get("hostPath") is not None:
        volume["hostPath"].setdefault("type", "")
    if volume.get("downwardAPI") is not None:
        _default_field_refs(volume["downwardAPI"])
    for part in (volume.get("projected") or {}).get("sources") or ():
        if part.get("downwardAPI") is not None:
            _default_field_refs(part["downwardAPI"])
        if part.get("serviceAccountToken") is not None:
            part["serviceAccountToken"].setdefault("expirationSeconds", 3600)
    claim = ((volume.get("ephemeral") or {}).get("volumeClaimTemplate") or {}).get("spec")
    if claim is not None:
        _fill(claim, volumeMode="Filesystem")


def _default_field_refs(source: Obj) -> None:
    for item in source.get("items") or ():
        if item.get("fieldRef") is not None:
            _fill(item["fieldRef"], apiVersion="v1")
