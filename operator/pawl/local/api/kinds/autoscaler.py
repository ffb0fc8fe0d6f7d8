"""HorizontalPodAutoscalers (pkg/apis/autoscaling)."""

from __future__ import annotations

from pawl.local.api.kinds.base import Context, Obj
from pawl.local.api.kinds.builtin import BuiltinKind
from pawl.local.schema import causes
from pawl.local.schema.causes import Cause

_PERIOD = 15
_UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": _PERIOD},
        {"type": "Percent", "value": 100, "periodSeconds": _PERIOD},
    ],
}
_DOWN = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": _PERIOD}],
}


class AutoscalerKind(BuiltinKind):
    has_status = True

    def __init__(self, version: str = "v2") -> None:
        super().__init__("autoscaling", version, "HorizontalPodAutoscaler")

    def default(self, obj: Obj) -> None:
        spec = obj.setdefault("spec", {})
        if spec.get("minReplicas") is None:
            spec["minReplicas"] = 1
        if not spec.get("metrics"):
            target = {"type": "Utilization", "averageUtilization": 80}
            resource = {"name": "cpu", "target": target}
            spec["metrics"] = [{"type": "Resource", "resource": resource}]
        behaviour = spec.get("behavior")
        if behaviour is not None:
            behaviour["scaleUp"] = {**_UP, **_given(behaviour.get("scaleUp"))}
            behaviour["scaleDown"] = {**_DOWN, **_given(behaviour.get("scaleDown"))}

    def initial_status(self, obj: Obj) -> Obj | None:
        return {"desiredReplicas": 0, "currentMetrics": None}

    def validate(self, context: Context, obj: Obj) -> list[Cause]:
        spec = obj["spec"]
        found: list[Cause] = []
        low, high = spec["minReplicas"], spec.get("maxReplicas", 0)
        if low < 1:
            text = "must be greater than or equal to 1"
            found.append(causes.invalid("spec.minReplicas", low, text))
        if high < 1:
            text = "must be set and greater than 0"
            found.append(causes.required("spec.maxReplicas", text))
        if high < low:
            text = "must be greater than or equal to `minReplicas`"
            found.append(causes.invalid("spec.maxReplicas", high, text))
        target = spec.get("scaleTargetRef") or {}
        at = "spec.scaleTargetRef"
        found += [causes.required(f"{at}.{f}") for f in ("kind", "name") if not target.get(f)]
        if "/" not in target.get("apiVersion", ""):
            text = "apiVersion must specify API group"
            found.append(causes.invalid(f"{at}.apiVersion", target.get("apiVersion", ""), text))
        return found

    def check_schema(self, obj: Obj, old: Obj | None, subresource: str) -> list[Cause]:
        """What is required is said above, in the words of this kind."""
        found = super().check_schema(obj, old, subresource)
        own = ("spec.scaleTargetRef", "spec.maxReplicas")
        return [cause for cause in found if not cause.field.startswith(own)]


def _given(rules: Obj | None) -> Obj:
    return {field: value for field, value in (rules or {}).items() if value is not None}
