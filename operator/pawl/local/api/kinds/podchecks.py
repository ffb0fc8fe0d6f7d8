"""Validation of pod specs (pkg/apis/core/validation): the rules that people run into.

What OpenAPI says (required fields, types) is checked elsewhere. Not checked here: security
contexts, affinity terms, topology spread, volumes other than their names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pawl.api import quantity
from pawl.local.api import names
from pawl.local.schema import causes
from pawl.local.schema.causes import Cause, child, index, key

Obj = dict[str, Any]

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_PULL = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("SCTP", "TCP", "UDP")


def validate_spec(spec: Obj, path: str) -> list[Cause]:
    found: list[Cause] = []
    volumes = _volumes(spec, path, found)
    seen: set[str] = set()
    for field in ("initContainers", "containers"):
        for at, container in enumerate(spec.get(field) or ()):
            place = index(child(path, field), at)
            _container(container, place, volumes, found, init=field == "initContainers")
            _unique(container.get("name", ""), child(place, "name"), seen, found)
    _choice(spec, "restartPolicy", path, ("Always", "OnFailure", "Never"), found)
    _choice(spec, "dnsPolicy", path,
            ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"), found)  # fmt: skip
    for field in ("hostname", "subdomain"):
        if spec.get(field):
            _words(names.dns_label, spec[field], child(path, field), found)
    if spec.get("nodeName"):
        _words(names.dns_subdomain, spec["nodeName"], child(path, "nodeName"), found)
    if spec.get("serviceAccountName"):
        at_account = child(path, "serviceAccountName")
        _words(names.dns_subdomain, spec["serviceAccountName"], at_account, found)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= 2**31 - 1:
        text = "must be between 1 and 2147483647, inclusive"
        found.append(causes.invalid(child(path, "activeDeadlineSeconds"), deadline, text))
    return found


def _words(rule: Callable[[str], list[str]], value: str, path: str, found: list[Cause]) -> None:
    found += [causes.invalid(path, value, text) for text in rule(value)]


def _unique(value: str, path: str, seen: set[str], found: list[Cause]) -> None:
    if value in seen:
        found.append(causes.duplicate(path, value))
    seen.add(value)


def _choice(obj: Obj, field: str, path: str, values: tuple[str, ...], found: list[Cause]) -> None:
    value = obj.get(field)
    if value is not None and value not in values:
        found.append(causes.not_supported(child(path, field), value, values))


def _not_negative(obj: Obj, field: str, path: str, found: list[Cause]) -> None:
    value = obj.get(field)
    if isinstance(value, int) and value < 0:
        text = "must be greater than or equal to 0"
        found.append(causes.invalid(child(path, field), value, text))


def _volumes(spec: Obj, path: str, found: list[Cause]) -> set[str]:
    seen: set[str] = set()
    for at, volume in enumerate(spec.get("volumes") or ()):
        place = index(child(path, "volumes"), at)
        name = volume.get("name", "")
        if name:
            _words(names.dns_label, name, child(place, "name"), found)
            _unique(name, child(place, "name"), seen, found)
        sources = [
            field for field, value in volume.items() if field != "name" and value is not None
        ]
        for extra in sources[1:]:
            text = "may not specify more than 1 volume type"
            found.append(causes.forbidden(child(place, extra), text))
        if volume.get("configMap") is not None and not volume["configMap"].get("name"):
            found.append(causes.required(child(place, "configMap.name")))
        if volume.get("secret") is not None and not volume["secret"].get("secretName"):
            found.append(causes.required(child(place, "secret.secretName")))
    return seen


def _container(
    container: Obj, path: str, volumes: set[str], found: list[Cause], *, init: bool
) -> None:
    if container.get("name"):
        _words(names.dns_label, container["name"], child(path, "name"), found)
    if not container.get("image"):
        found.append(causes.required(child(path, "image")))
    elif container["image"] != container["image"].strip():
        text = "must not have leading or trailing whitespace"
        found.append(causes.invalid(child(path, "image"), container["image"], text))
    _choice(container, "terminationMessagePolicy", path, ("File", "FallbackToLogsOnError"), found)
    _choice(container, "imagePullPolicy", path, _PULL, found)
    _ports(container, path, found)
    _env(container, path, found)
    _mounts(container, path, volumes, found)
    _resources(container.get("resources") or {}, child(path, "resources"), found)
    sidecar = container.get("restartPolicy") == "Always"
    for probe in _PROBES:
        if container.get(probe) is None:
            continue
        if init and not sidecar:
            text = "may not be set for init containers without restartPolicy=Always"
            found.append(causes.forbidden(child(path, probe), text))
        else:
            _probe(container[probe], child(path, probe), found, once=probe != "readinessProbe")


def _ports(container: Obj, path: str, found: list[Cause]) -> None:
    seen: set[str] = set()
    for at, port in enumerate(container.get("ports") or ()):
        place = index(child(path, "ports"), at)
        if port.get("name"):
            _words(names.port_name, port["name"], child(place, "name"), found)
            _unique(port["name"], child(place, "name"), seen, found)
        number = port.get("containerPort")
        if number == 0:
            found.append(causes.required(child(place, "containerPort")))
        elif number is not None:
            found += [
                causes.invalid(child(place, "containerPort"), number, text)
                for text in names.port_number(number)
            ]
        _choice(port, "protocol", place, _PROTOCOLS, found)


def _env(container: Obj, path: str, found: list[Cause]) -> None:
    for at, variable in enumerate(container.get("env") or ()):
        place = index(child(path, "env"), at)
        if variable.get("name"):
            _words(names.env_name, variable["name"], child(place, "name"), found)
        source = variable.get("valueFrom")
        if source is None:
            continue
        if variable.get("value"):
            text = "may not be specified when `value` is not empty"
            found.append(causes.invalid(child(place, "valueFrom"), "", text))
        given = [field for field, value in source.items() if value is not None]
        if not given:
            text = (
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
                "`secretKeyRef` or `fileKeyRef`"
            )
            found.append(causes.invalid(child(place, "valueFrom"), "", text))
        elif len(given) > 1:
            text = "may not have more than one field specified at a time"
            found.append(causes.invalid(child(place, "valueFrom"), "", text))


def _mounts(container: Obj, path: str, volumes: set[str], found: list[Cause]) -> None:
    seen: set[str] = set()
    for at, mount in enumerate(container.get("volumeMounts") or ()):
        place = index(child(path, "volumeMounts"), at)
        name, where = mount.get("name", ""), mount.get("mountPath", "")
        if name and name not in volumes:
            found.append(causes.not_found(child(place, "name"), name))
        if where in seen:
            text = "must be unique"
            found.append(causes.invalid(child(place, "mountPath"), where, text))
        seen.add(where)


def _resources(resources: Obj, path: str, found: list[Cause]) -> None:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for field, amounts in (("limits", limits), ("requests", requests)):
        for name, text in amounts.items():
            place = key(child(path, field), name)
            try:
                amount = quantity.parse(text)
            except ValueError as error:
                found.append(causes.invalid(place, text, str(error)))
                continue
            if amount < 0:
                words = "must be greater than or equal to 0"
                found.append(causes.invalid(place, str(text), words))
    for name, text in requests.items():
        try:
            over = name in limits and quantity.parse(text) > quantity.parse(limits[name])
        except ValueError:
            continue
        if over:
            words = f"must be less than or equal to {name} limit of {limits[name]}"
            found.append(causes.invalid(child(path, "requests"), str(text), words))


def _probe(probe: Obj, path: str, found: list[Cause], *, once: bool) -> None:
    given = [handler for handler in _HANDLERS if probe.get(handler) is not None]
    if not given:
        found.append(causes.required(path, "must specify a handler type"))
    for extra in given[1:]:
        text = "may not specify more than 1 handler type"
        found.append(causes.forbidden(child(path, extra), text))
    for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold",
                  "failureThreshold"):  # fmt: skip
        _not_negative(probe, field, path, found)
    if once and probe.get("successThreshold", 1) != 1:
        at = child(path, "successThreshold")
        found.append(causes.invalid(at, probe["successThreshold"], "must be 1"))
    for handler in ("httpGet", "tcpSocket"):
        port = (probe.get(handler) or {}).get("port")
        if isinstance(port, int):
            at = child(path, f"{handler}.port")
            found += [causes.invalid(at, port, text) for text in names.port_number(port)]
        elif isinstance(port, str):
            _words(names.port_name, port, child(path, f"{handler}.port"), found)
