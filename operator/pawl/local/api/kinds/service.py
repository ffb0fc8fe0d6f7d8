"""Services (pkg/registry/core/service, pkg/apis/core/validation)."""

from __future__ import annotations

import ipaddress

from pawl.local.api import names
from pawl.local.api.addresses import AddressPool
from pawl.local.api.fieldselectors import Getter
from pawl.local.api.kinds.base import Context, Obj
from pawl.local.api.kinds.builtin import BuiltinKind
from pawl.local.schema import causes
from pawl.local.schema.causes import Cause, child, index

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_AFFINITY_SECONDS = 10_800


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class ServiceKind(BuiltinKind):
    """`pool` is where cluster IPs come from."""

    has_status = True
    returns_deleted = True
    create_on_update = True
    name_rule = staticmethod(names.dns_label)

    def __init__(self, pool: AddressPool) -> None:
        super().__init__("", "v1", "Service")
        self._pool = pool

    def default(self, obj: Obj) -> None:
        spec = obj.setdefault("spec", {})
        if not spec.get("type"):
            spec["type"] = "ClusterIP"
        if not spec.get("sessionAffinity"):
            spec["sessionAffinity"] = "None"
        if spec["sessionAffinity"] == "None":
            spec.pop("sessionAffinityConfig", None)
        elif spec["sessionAffinity"] == "ClientIP" and not spec.get("sessionAffinityConfig"):
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": _AFFINITY_SECONDS}}
        for port in spec.get("ports") or ():
            if not port.get("protocol"):
                port["protocol"] = "TCP"
            if port.get("targetPort") in (None, 0, "") and "port" in port:
                port["targetPort"] = port["port"]
        if spec["type"] != "ExternalName" and not spec.get("internalTrafficPolicy"):
            spec["internalTrafficPolicy"] = "Cluster"
        if spec["type"] in ("NodePort", "LoadBalancer") and not spec.get("externalTrafficPolicy"):
            spec["externalTrafficPolicy"] = "Cluster"
        if spec["type"] == "LoadBalancer":
            spec.setdefault("allocateLoadBalancerNodePorts", True)

    def initial_status(self, obj: Obj) -> Obj | None:
        return {"loadBalancer": {}}

    def prepare_create(self, context: Context, obj: Obj) -> None:
        spec = obj["spec"]
        if spec["type"] == "ExternalName":
            return
        if not spec.get("clusterIP") and spec.get("clusterIPs"):
            spec["clusterIP"] = spec["clusterIPs"][0]
        if not spec.get("clusterIP"):
            spec["clusterIP"] = self._pool.allocate()
            context.mine.add(spec["clusterIP"])
        elif spec["clusterIP"] in self._pool and self._pool.take(spec["clusterIP"]):
            context.mine.add(spec["clusterIP"])
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")

    def prepare_update(self, context: Context, obj: Obj, old: Obj) -> None:
        spec, before = obj["spec"], old["spec"]
        if spec["type"] == "ExternalName":
            for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                spec.pop(field, None)
            return
        if before["type"] == "ExternalName":
            self.prepare_create(context, obj)
            return
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if not spec.get(field) and before.get(field):
                spec[field] = before[field]

    def undo_create(self, context: Context, obj: Obj) -> None:
        for address in context.mine:
            self._pool.release(address)

    def deleted(self, context: Context, obj: Obj) -> None:
        self._pool.release(obj["spec"].get("clusterIP", ""))

    def validate(self, context: Context, obj: Obj) -> list[Cause]:
        spec = obj["spec"]
        found: list[Cause] = []
        if spec["sessionAffinity"] not in ("ClientIP", "None"):
            known = ("ClientIP", "None")
            at = "spec.sessionAffinity"
            found.append(causes.not_supported(at, spec["sessionAffinity"], known))
        if spec["type"] not in _TYPES:
            found.append(causes.not_supported("spec.type", spec["type"], _TYPES))
        if spec["type"] == "ExternalName":
            if not spec.get("externalName"):
                found.append(causes.required("spec.externalName"))
            return found + self._ports(spec)
        if not spec.get("ports") and spec.get("clusterIP") != "None":
            found.append(causes.required("spec.ports"))
        found += self._ports(spec)
        for key, value in (spec.get("selector") or {}).items():
            found += [causes.invalid("spec.selector", key, t) for t in names.qualified_name(key)]
            found += [causes.invalid("spec.selector", value, t) for t in names.label_value(value)]
        return found + self._address(context, spec)

    def _address(self, context: Context, spec: Obj) -> list[Cause]:
        address = spec.get("clusterIP", "")
        at = "spec.clusterIPs"
        if address == "None":
            return []
        if not _is_address(address):
            text = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            return [causes.invalid(f"{at}[0]", address, text)]
        if address not in self._pool:
            text = f"failed to allocate IP {address}: the provided network does not match the "
            text += "current range"
            return [causes.invalid(at, spec["clusterIPs"], text)]
        if context.creating and address not in context.mine:
            text = f"failed to allocate IP {address}: provided IP is already allocated"
            return [causes.invalid(at, spec["clusterIPs"], text)]
        return []

    def _ports(self, spec: Obj) -> list[Cause]:
        found: list[Cause] = []
        ports = spec.get("ports") or []
        seen: set[str] = set()
        used: set[tuple[object, object]] = set()
        for number, port in enumerate(ports):
            at = index("spec.ports", number)
            name = port.get("name", "")
            if not name and len(ports) > 1:
                found.append(causes.required(child(at, "name")))
            elif name:
                found += [
                    causes.invalid(child(at, "name"), name, text) for text in names.dns_label(name)
                ]
                if name in seen:
                    found.append(causes.duplicate(child(at, "name"), name))
                seen.add(name)
            if "port" in port:
                found += [
                    causes.invalid(child(at, "port"), port["port"], text)
                    for text in names.port_number(port["port"])
                ]
            if port["protocol"] not in _PROTOCOLS:
                known = child(at, "protocol")
                found.append(causes.not_supported(known, port["protocol"], _PROTOCOLS))
            target = port.get("targetPort")
            rule = names.port_number if isinstance(target, int) else names.port_name
            if target is not None:
                found += [
                    causes.invalid(child(at, "targetPort"), target, text) for text in rule(target)
                ]
            if (port["protocol"], port.get("port")) in used:
                shown = {"protocol": port["protocol"], "port": port.get("port")}
                found.append(causes.duplicate(at, shown))
            used.add((port["protocol"], port.get("port")))
        return found

    def validate_update(self, context: Context, obj: Obj, old: Obj) -> list[Cause]:
        before, after = old["spec"], obj["spec"]
        if before["type"] == "ExternalName" or after["type"] == "ExternalName":
            return []
        address = before.get("clusterIP")
        if after.get("clusterIP") == address and after.get("clusterIPs", [])[:1] == [address]:
            return []
        text = "may not change once set"
        wanted = after.get("clusterIPs")
        if after.get("clusterIP") != address:
            wanted = [after.get("clusterIP")]
        return [causes.invalid("spec.clusterIPs[0]", wanted, text)]

    def fields(self) -> dict[str, Getter]:
        return {
            "spec.clusterIP": lambda obj: str(obj["spec"].get("clusterIP", "")),
            "spec.type": lambda obj: str(obj["spec"].get("type", "")),
        }
