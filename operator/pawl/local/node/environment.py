"""The environment of a container: the kubelet's rules for sources, order and `$(VAR)`.

Order, later wins: what the image brings, service variables, `envFrom` in its order, `env` in its
order. `$(VAR)` refers to what is defined before it; `$$(VAR)` is the text `$(VAR)`; an unknown
name is left as it is (third_party/forked/golang/expansion).
"""

import base64
import math
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from pawl.api.quantity import parse
from pawl.errors import PawlError

Obj = dict[str, Any]

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_ENV_NAME = re.compile(r"^[^=\0]+$")
_KEYED_FIELD = re.compile(r"^metadata\.(labels|annotations)\['(.+)'\]$")


class ConfigError(PawlError):
    """The container's configuration refers to something that is not there (yet)."""

    reason = "CreateContainerConfigError"


class Lookup(Protocol):
    """Finds the ConfigMaps and Secrets of the pod's namespace; None when there is none."""

    def __call__(self, resource: str, name: str) -> Obj | None: ...


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(VAR)`; see the module's docstring."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return _REFERENCE.sub(value, text)


def build(container: Obj, *, pod: Obj, services: Mapping[str, str], find: Lookup) -> dict[str, str]:
    """What the pod says about the environment of `container`. Raises ConfigError.

    What the image brings (PATH, …) comes below it and is not visible to `$(VAR)`.
    """
    own: dict[str, str] = dict(services)
    for source in container.get("envFrom") or ():
        own.update(_from_source(source, find))
    for entry in container.get("env") or ():
        value = _entry_value(entry, container, pod, own, find)
        if value is not None:
            own[entry["name"]] = value
    return own


def service_variables(
    services: Iterable[Obj], namespace: str, api: tuple[str, int]
) -> dict[str, str]:
    """KUBERNETES_SERVICE_*, and NAME_SERVICE_* of the services of the pod's namespace."""
    host, port = api
    found = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
    for service in services:
        metadata, spec = service["metadata"], service.get("spec") or {}
        address, ports = spec.get("clusterIP"), spec.get("ports") or ()
        if metadata["namespace"] != namespace or not ports or address in (None, "", "None"):
            continue
        name = metadata["name"].upper().replace("-", "_")
        found[f"{name}_SERVICE_HOST"] = address
        found[f"{name}_SERVICE_PORT"] = str(ports[0]["port"])
        for port_ in ports:
            if port_.get("name"):
                suffix = port_["name"].upper().replace("-", "_")
                found[f"{name}_SERVICE_PORT_{suffix}"] = str(port_["port"])
    return found


def field_value(path: str, pod: Obj) -> str:
    """A `fieldRef`. `pod` carries the addresses in its status. Raises ConfigError."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    keyed = _KEYED_FIELD.match(path)
    if keyed:
        return str((metadata.get(keyed[1]) or {}).get(keyed[2], ""))
    simple = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "metadata.labels": _listing(metadata.get("labels")),
        "metadata.annotations": _listing(metadata.get("annotations")),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.hostIP": status.get("hostIP", ""),
        "status.hostIPs": ",".join(entry["ip"] for entry in status.get("hostIPs") or ()),
        "status.podIP": status.get("podIP", ""),
        "status.podIPs": ",".join(entry["ip"] for entry in status.get("podIPs") or ()),
    }
    if path not in simple:
        raise ConfigError(f'field label not supported: "{path}"')
    return str(simple[path])


def resource_value(reference: Obj, container: Obj, allocatable: Mapping[str, str]) -> str:
    """A `resourceFieldRef`: the limit or request in units of `divisor`, rounded up. A limit that
    is not set is what the node has."""
    kind, _, name = reference["resource"].partition(".")
    resources = container.get("resources") or {}
    quantity = (resources.get(kind) or {}).get(name)
    if quantity is None and kind == "limits":
        quantity = allocatable.get(name, "0")
    divisor = reference.get("divisor") or "1"
    unit = parse(divisor) or parse("1")
    return str(math.ceil(parse(quantity or "0") / unit))


def decoded(secret: Obj) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}


def texts(resource: str, obj: Obj) -> dict[str, str]:
    """The text values of a ConfigMap or Secret."""
    if resource == "secrets":
        return {key: value.decode(errors="replace") for key, value in decoded(obj).items()}
    return dict(obj.get("data") or {})


def _from_source(source: Obj, find: Lookup) -> dict[str, str]:
    for field, resource, kind in (
        ("configMapRef", "configmaps", "configmap"),
        ("secretRef", "secrets", "secret"),
    ):
        reference = source.get(field)
        if reference is None:
            continue
        found = find(resource, reference["name"])
        if found is None:
            if reference.get("optional"):
                return {}
            raise ConfigError(f'{kind} "{reference["name"]}" not found')
        prefix = source.get("prefix") or ""
        values = {prefix + key: value for key, value in texts(resource, found).items()}
        return {key: value for key, value in values.items() if _ENV_NAME.match(key)}
    return {}


def _entry_value(
    entry: Obj, container: Obj, pod: Obj, own: Mapping[str, str], find: Lookup
) -> str | None:
    source = entry.get("valueFrom")
    if source is None:
        return expand(entry.get("value") or "", own)
    if "fieldRef" in source:
        return field_value(source["fieldRef"]["fieldPath"], pod)
    if "resourceFieldRef" in source:
        reference = source["resourceFieldRef"]
        return resource_value(reference, _named(pod, reference, container), allocatable())
    if "configMapKeyRef" in source:
        return _key_value(source["configMapKeyRef"], "configmaps", "configmap", pod, find)
    if "secretKeyRef" in source:
        return _key_value(source["secretKeyRef"], "secrets", "secret", pod, find)
    return ""


def _key_value(reference: Obj, resource: str, kind: str, pod: Obj, find: Lookup) -> str | None:
    found = find(resource, reference["name"])
    values = {} if found is None else texts(resource, found)
    if reference["key"] in values:
        return values[reference["key"]]
    if reference.get("optional"):
        return None
    if found is None:
        raise ConfigError(f'{kind} "{reference["name"]}" not found')
    where = f"{pod['metadata']['namespace']}/{reference['name']}"
    label = "ConfigMap" if resource == "configmaps" else "Secret"
    raise ConfigError(f"couldn't find key {reference['key']} in {label} {where}")


def _named(pod: Obj, reference: Obj, container: Obj) -> Obj:
    name = reference.get("containerName") or container["name"]
    everyone = [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]
    return next((each for each in everyone if each["name"] == name), container)


def _listing(values: Mapping[str, str] | None) -> str:
    """Labels as a downward API file shows them: sorted, one `key="value"` a line."""
    return "\n".join(f'{key}="{_quoted(value)}"' for key, value in sorted((values or {}).items()))


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")


def allocatable() -> dict[str, str]:
    """What the node offers: the machine's processors and memory."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": str(len(os.sched_getaffinity(0))),
        "memory": f"{pages // 1024}Ki",
        "pods": "500",
        "ephemeral-storage": "100Gi",
    }
