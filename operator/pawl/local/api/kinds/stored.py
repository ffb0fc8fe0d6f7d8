"""Kinds that are stored, defaulted and checked, and that others act on: endpoints, leases,
budgets, network policies, roles. Network policies are not enforced."""

from __future__ import annotations

from typing import Any

from pawl.local.api import names
from pawl.local.api.kinds.base import Context, Obj
from pawl.local.api.kinds.builtin import BuiltinKind
from pawl.local.api.kinds.workloads import immutable
from pawl.local.schema import causes
from pawl.local.schema.causes import Cause


class EndpointsKind(BuiltinKind):
    create_on_update = True

    def __init__(self) -> None:
        super().__init__("", "v1", "Endpoints")

    def default(self, obj: Obj) -> None:
        for subset in obj.get("subsets") or ():
            for port in subset.get("ports") or ():
                port.setdefault("protocol", "TCP")


class EndpointSliceKind(BuiltinKind):
    generation = True

    def __init__(self) -> None:
        super().__init__("discovery.k8s.io", "v1", "EndpointSlice")

    def default(self, obj: Obj) -> None:
        if obj.get("endpoints") is None:
            obj["endpoints"] = []
        if obj.get("ports") is None:
            obj["ports"] = []
        for endpoint in obj["endpoints"]:
            endpoint.setdefault("conditions", {})
        for port in obj["ports"]:
            port.setdefault("name", "")
            port.setdefault("protocol", "TCP")

    def spec_of(self, obj: Obj) -> Any:
        return obj.get("endpoints"), obj.get("ports"), obj["metadata"].get("labels")

    def validate(self, context: Context, obj: Obj) -> list[Cause]:
        found: list[Cause] = []
        kind, known = obj.get("addressType"), ("FQDN", "IPv4", "IPv6")
        if kind and kind not in known:
            found.append(causes.not_supported("addressType", kind, known))
        return found

    def validate_update(self, context: Context, obj: Obj, old: Obj) -> list[Cause]:
        return immutable(obj, old, "addressType")


class LeaseKind(BuiltinKind):
    create_on_update = True

    def __init__(self) -> None:
        super().__init__("coordination.k8s.io", "v1", "Lease")

    def default(self, obj: Obj) -> None:
        obj.setdefault("spec", {})

    def validate(self, context: Context, obj: Obj) -> list[Cause]:
        spec = obj["spec"]
        found: list[Cause] = []
        seconds = spec.get("leaseDurationSeconds")
        if seconds is not None and seconds <= 0:
            text = "must be greater than 0"
            found.append(causes.invalid("spec.leaseDurationSeconds", seconds, text))
        changes = spec.get("leaseTransitions")
        if changes is not None and changes < 0:
            text = "must be greater than or equal to 0"
            found.append(causes.invalid("spec.leaseTransitions", changes, text))
        return found


class BudgetKind(BuiltinKind):
    """PodDisruptionBudgets: stored."""

    has_status = True
    generation = True

    def __init__(self) -> None:
        super().__init__("policy", "v1", "PodDisruptionBudget")

    def initial_status(self, obj: Obj) -> Obj | None:
        return {
            "disruptionsAllowed": 0,
            "currentHealthy": 0,
            "desiredHealthy": 0,
            "expectedPods": 0,
        }

    def validate(self, context: Context, obj: Obj) -> list[Cause]:
        spec = obj.get("spec") or {}
        if spec.get("minAvailable") is None or spec.get("maxUnavailable") is None:
            return []
        text = "minAvailable and maxUnavailable cannot be both set"
        return [causes.invalid("spec", spec, text)]


class NetworkPolicyKind(BuiltinKind):
    """NetworkPolicies: stored, not enforced."""

    generation = True

    def __init__(self) -> None:
        super().__init__("networking.k8s.io", "v1", "NetworkPolicy")

    def default(self, obj: Obj) -> None:
        spec = obj.setdefault("spec", {})
        if spec.get("podSelector") is None:
            spec["podSelector"] = {}
        if not spec.get("policyTypes"):
            spec["policyTypes"] = ["Ingress", *(["Egress"] if spec.get("egress") else [])]
        for rule in [*(spec.get("ingress") or ()), *(spec.get("egress") or ())]:
            for port in rule.get("ports") or ():
                port.setdefault("protocol", "TCP")


class RbacKind(BuiltinKind):
    """Roles and bindings."""

    create_on_update = True
    name_rule = staticmethod(names.path_segment)

    def __init__(self, kind: str) -> None:
        super().__init__("rbac.authorization.k8s.io", "v1", kind)

    def default(self, obj: Obj) -> None:
        if not self.gvk[2].endswith("Binding"):
            return
        for subject in obj.get("subjects") or ():
            if "apiGroup" not in subject and subject.get("kind") in ("User", "Group"):
                subject["apiGroup"] = "rbac.authorization.k8s.io"
        reference = obj.get("roleRef")
        if reference is not None and not reference.get("apiGroup"):
            reference["apiGroup"] = "rbac.authorization.k8s.io"

    def prepare_create(self, context: Context, obj: Obj) -> None:
        if not self.gvk[2].endswith("Binding"):
            obj.setdefault("rules", None)

    def prepare_update(self, context: Context, obj: Obj, old: Obj) -> None:
        self.prepare_create(context, obj)

    def validate_update(self, context: Context, obj: Obj, old: Obj) -> list[Cause]:
        if not self.gvk[2].endswith("Binding") or obj.get("roleRef") == old.get("roleRef"):
            return []
        return [causes.invalid("roleRef", obj.get("roleRef"), "cannot change roleRef")]
