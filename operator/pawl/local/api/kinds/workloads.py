"""Deployments and ReplicaSets (pkg/registry/apps, pkg/apis/apps)."""

from __future__ import annotations

from typing import Any

from pawl.local.api import metadata, selectors
from pawl.local.api.fieldselectors import Getter
from pawl.local.api.kinds import podchecks, podspec
from pawl.local.api.kinds.base import Context, Obj
from pawl.local.api.kinds.builtin import BuiltinKind
from pawl.local.schema import causes
from pawl.local.schema.causes import Cause, child

_COUNTS = (
    "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas",
    "fullyLabeledReplicas", "observedGeneration",
)  # fmt: skip


class TemplateKind(BuiltinKind):
    """A kind with a selector, a pod template and replicas."""

    has_status = True
    generation = True
    status_metadata = frozenset()

    def default(self, obj: Obj) -> None:
        spec = obj.setdefault("spec", {})
        if spec.get("replicas") is None:
            spec["replicas"] = 1
        podspec.default_template(spec.setdefault("template", {}))

    def validate(self, context: Context, obj: Obj) -> list[Cause]:
        spec = obj["spec"]
        found = not_negative(spec, "replicas", "spec")
        found += not_negative(spec, "minReadySeconds", "spec")
        template = spec.get("template") or {}
        selector = spec.get("selector")
        found += selectors.validate(selector or {}, "spec.selector")
        if selector is not None and selectors.render(selector) == "<none>":
            text = "empty selector is invalid for deployment"
            found.append(causes.invalid("spec.selector", selector, text))
        labels = (template.get("metadata") or {}).get("labels")
        if not found and not selectors.select(selector, labels or {}):
            text = "`selector` does not match template `labels`"
            found.append(causes.invalid("spec.template.metadata.labels", labels, text))
        found += validate_template(template, "spec.template")
        policy = template["spec"]["restartPolicy"]
        if policy in ("OnFailure", "Never"):
            at = "spec.template.spec.restartPolicy"
            found.append(causes.not_supported(at, policy, ("Always",)))
        return found

    def validate_update(self, context: Context, obj: Obj, old: Obj) -> list[Cause]:
        return immutable(obj, old, "spec.selector")

    def validate_status(self, context: Context, obj: Obj, old: Obj) -> list[Cause]:
        status = obj.get("status") or {}
        found: list[Cause] = []
        for field in _COUNTS:
            found += not_negative(status, field, "status")
        return found


class DeploymentKind(TemplateKind):
    def __init__(self) -> None:
        super().__init__("apps", "v1", "Deployment")

    def default(self, obj: Obj) -> None:
        super().default(obj)
        spec = obj["spec"]
        strategy = spec.get("strategy")
        if strategy is None:
            strategy = spec["strategy"] = {}
        if not strategy.get("type"):
            strategy["type"] = "RollingUpdate"
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.get("rollingUpdate") or {}
            strategy["rollingUpdate"] = {"maxUnavailable": "25%", "maxSurge": "25%"} | rolling
        for field, value in (("revisionHistoryLimit", 10), ("progressDeadlineSeconds", 600)):
            if spec.get(field) is None:
                spec[field] = value

    def initial_status(self, obj: Obj) -> Obj | None:
        return {}

    def validate(self, context: Context, obj: Obj) -> list[Cause]:
        spec = obj["spec"]
        found = super().validate(context, obj)
        found += _strategy(spec["strategy"])
        found += not_negative(spec, "revisionHistoryLimit", "spec")
        found += not_negative(spec, "progressDeadlineSeconds", "spec")
        if spec["progressDeadlineSeconds"] <= spec.get("minReadySeconds", 0):
            text = "must be greater than minReadySeconds"
            at = "spec.progressDeadlineSeconds"
            found.append(causes.invalid(at, spec["progressDeadlineSeconds"], text))
        return found


class ReplicaSetKind(TemplateKind):
    def __init__(self) -> None:
        super().__init__("apps", "v1", "ReplicaSet")

    def initial_status(self, obj: Obj) -> Obj | None:
        return {"replicas": 0}

    def fields(self) -> dict[str, Getter]:
        return {"status.replicas": lambda obj: str((obj.get("status") or {}).get("replicas", 0))}


def not_negative(obj: Obj, field: str, path: str) -> list[Cause]:
    value = obj.get(field)
    if isinstance(value, int) and value < 0:
        text = "must be greater than or equal to 0"
        return [causes.invalid(child(path, field), value, text)]
    return []


def at_path(obj: Any, path: str) -> Any:
    for part in path.split("."):
        obj = obj.get(part) if isinstance(obj, dict) else None
    return obj


def immutable(obj: Obj, old: Obj, path: str) -> list[Cause]:
    if at_path(obj, path) == at_path(old, path):
        return []
    return [causes.invalid(path, at_path(obj, path), metadata.IMMUTABLE)]


def validate_template(template: Obj, path: str) -> list[Cause]:
    found = template_metadata(template.get("metadata") or {}, child(path, "metadata"))
    return found + podchecks.validate_spec(template.get("spec") or {}, child(path, "spec"))


def template_metadata(meta: Obj, path: str) -> list[Cause]:
    """Labels and annotations of a template are those of pods to come."""
    found = metadata.validate({**meta, "name": "x"}, namespaced=False, rule=lambda _: [])
    return [
        causes.Cause(c.reason, c.message, c.field.replace("metadata", path, 1))
        for c in found
        if c.field.startswith(("metadata.labels", "metadata.annotations"))
    ]


def _strategy(strategy: Obj) -> list[Cause]:
    kind = strategy["type"]
    rolling: Obj | None = strategy.get("rollingUpdate")
    at = "spec.strategy.rollingUpdate"
    if kind == "Recreate":
        if rolling is None:
            return []
        text = "may not be specified when strategy `type` is 'Recreate'"
        return [causes.forbidden(at, text)]
    if kind != "RollingUpdate":
        known = ("Recreate", "RollingUpdate")
        shown = {"Type": kind, "RollingUpdate": rolling}
        return [causes.not_supported("spec.strategy", shown, known)]
    found: list[Cause] = []
    rolling = rolling or {}
    for field in ("maxUnavailable", "maxSurge"):
        found += int_or_percent(rolling[field], child(at, field), most=field == "maxUnavailable")
    if not found and all(_zero(rolling[field]) for field in ("maxUnavailable", "maxSurge")):
        text = "may not be 0 when `maxSurge` is 0"
        found.append(causes.invalid(child(at, "maxUnavailable"), rolling["maxUnavailable"], text))
    return found


def _zero(value: int | str) -> bool:
    return value in (0, "0%")


def int_or_percent(value: int | str, path: str, *, most: bool = False) -> list[Cause]:
    """`most`: a share of more than all is refused."""
    if isinstance(value, int):
        return not_negative({"": value}, "", path) if value < 0 else []
    number = value.removesuffix("%")
    if value.endswith("%") and number.isdigit():
        if int(number) <= 100 or not most:
            return []
        return [causes.invalid(path, value, "must not be greater than 100%")]
    text = (
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  "
        "or '93%', regex used for validation is '[0-9]+%')"
    )
    return [causes.invalid(path, value, text)]
