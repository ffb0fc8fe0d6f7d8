"""Jobs (pkg/registry/batch/job, pkg/apis/batch)."""

from __future__ import annotations

import copy

from pawl.local.api import metadata, names, selectors
from pawl.local.api.fieldselectors import Getter
from pawl.local.api.kinds import podspec
from pawl.local.api.kinds.base import Context, Obj
from pawl.local.api.kinds.builtin import BuiltinKind
from pawl.local.api.kinds.workloads import (
    at_path,
    immutable,
    not_negative,
    validate_template,
)
from pawl.local.schema import causes
from pawl.local.schema.causes import Cause, child, index

NAME_LABELS = ("job-name", "batch.kubernetes.io/job-name")
UID_LABELS = ("controller-uid", "batch.kubernetes.io/controller-uid")
_MAX_INT32 = 2**31 - 1
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_COUNTS = (
    "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit",
    "ttlSecondsAfterFinished", "backoffLimitPerIndex", "maxFailedIndexes",
)  # fmt: skip
_ORPHANED = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background "
    "to remove them or set propagationPolicy=Orphan to suppress this warning"
)


class JobKind(BuiltinKind):
    has_status = True
    generation = True
    orphans_by_default = True

    def __init__(self) -> None:
        super().__init__("batch", "v1", "Job")

    def default(self, obj: Obj) -> None:
        spec = obj.setdefault("spec", {})
        if spec.get("completions") is None and spec.get("parallelism") is None:
            spec["completions"] = 1
        per_index = spec.get("backoffLimitPerIndex") is not None
        failed_only = spec.get("podFailurePolicy") is not None
        for field, value in (
            ("parallelism", 1),
            ("backoffLimit", _MAX_INT32 if per_index else 6),
            ("completionMode", "NonIndexed"),
            ("suspend", False),
            ("podReplacementPolicy", "Failed" if failed_only else "TerminatingOrFailed"),
            ("manualSelector", False),
        ):
            if spec.get(field) is None:
                spec[field] = value
        for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
            for pattern in rule.get("onPodConditions") or ():
                pattern.setdefault("status", "True")
        podspec.default_template(spec.setdefault("template", {}))
        labels = spec["template"]["metadata"].get("labels")
        if labels and not obj["metadata"].get("labels"):
            obj["metadata"]["labels"] = labels  # what is added to these is added to both

    def initial_status(self, obj: Obj) -> Obj | None:
        return {}

    def prepare_create(self, context: Context, obj: Obj) -> None:
        """The labels and the selector by which a Job knows its pods."""
        spec, meta = obj["spec"], obj["metadata"]
        labels = spec["template"]["metadata"].setdefault("labels", {})
        if not meta.get("labels"):
            meta["labels"] = labels
        if spec["manualSelector"]:
            return
        for name in NAME_LABELS:
            labels.setdefault(name, meta.get("name", ""))
        for name in UID_LABELS:
            labels.setdefault(name, meta["uid"])
        selector = spec.setdefault("selector", {}).setdefault("matchLabels", {})
        selector.setdefault(UID_LABELS[1], meta["uid"])

    def validate(self, context: Context, obj: Obj) -> list[Cause]:
        spec = obj["spec"]
        found: list[Cause] = []
        for field in _COUNTS:
            found += not_negative(spec, field, "spec")
        found += _selector(obj)
        found += _indexed(spec)
        found += _failure_policy(spec)
        found += validate_template(spec["template"], "spec.template")
        return found + _restart_policy(spec)

    def validate_update(self, context: Context, obj: Obj, old: Obj) -> list[Cause]:
        found: list[Cause] = []
        if old["spec"]["completionMode"] != "Indexed" or not _elastic(obj["spec"]):
            found += immutable(obj, old, "spec.completions")
        found += immutable(obj, old, "spec.selector")
        if _template(obj, old) != _template(old, old):
            at = "spec.template.spec" if _waits(old) else "spec.template"
            found.append(causes.invalid(at, at_path(obj, at), metadata.IMMUTABLE))
        for field in ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy",
                      "successPolicy"):  # fmt: skip
            found += immutable(obj, old, f"spec.{field}")
        return found

    def warnings(self, obj: Obj, old: Obj | None) -> list[str]:
        wrong = names.dns_label(obj["metadata"]["name"])
        if old is not None or not wrong:
            return []
        return [
            "metadata.name: this is used in Pod names and hostnames, which can result in "
            f"surprising behavior; a DNS label is recommended: [{' '.join(wrong)}]"
        ]

    def fields(self) -> dict[str, Getter]:
        return {"status.successful": lambda obj: str(obj.get("status", {}).get("succeeded", 0))}


def deletion_warning() -> str:
    return _ORPHANED


def _restart_policy(spec: Obj) -> list[Cause]:
    at = "spec.template.spec.restartPolicy"
    policy = spec["template"]["spec"]["restartPolicy"]
    if policy == "Always":
        return [causes.required(at, 'valid values: "OnFailure", "Never"')]
    if policy not in ("OnFailure", "Never"):
        return [causes.not_supported(at, policy, ("OnFailure", "Never"))]
    if policy == "OnFailure" and spec.get("podFailurePolicy") is not None:
        text = 'only "Never" is supported when podFailurePolicy is specified'
        return [causes.invalid(at, policy, text)]
    return []


def _elastic(spec: Obj) -> bool:
    """An Indexed Job may be resized when completions and parallelism are changed together."""
    return spec.get("completions") == spec.get("parallelism")


def _waits(job: Obj) -> bool:
    """It is suspended, and has never been started."""
    return bool(job["spec"].get("suspend")) and not job.get("status", {}).get("startTime")


def _template(obj: Obj, old: Obj) -> Obj:
    """The template without what may change while the Job waits to be started."""
    template: Obj = copy.deepcopy(obj["spec"]["template"])
    if _waits(old):
        for field in ("nodeSelector", "affinity", "tolerations", "schedulingGates"):
            template["spec"].pop(field, None)
        for field in ("labels", "annotations"):
            template["metadata"].pop(field, None)
        for container in podspec.containers(template["spec"]):
            container.pop("resources", None)
    return template


def _selector(obj: Obj) -> list[Cause]:
    spec, meta = obj["spec"], obj["metadata"]
    labels = spec["template"]["metadata"].get("labels") or {}
    at = "spec.template.metadata.labels"
    text = "`selector` does not match template `labels`"
    if spec.get("selector") is None:
        return [causes.required("spec.selector"), causes.invalid(at, labels or None, text)]
    found = selectors.validate(spec["selector"], "spec.selector")
    if not spec["manualSelector"]:
        for label, wanted in (
            *((name, meta.get("name", "")) for name in NAME_LABELS),
            *((name, meta["uid"]) for name in UID_LABELS),
        ):
            if labels.get(label) != wanted:
                found.append(causes.invalid(at, labels, f"must be '{wanted}'"))
        if spec["selector"] != {"matchLabels": {UID_LABELS[1]: meta["uid"]}}:
            shown = spec["selector"]
            found.append(causes.invalid("spec.selector", shown, "`selector` not auto-generated"))
    if not selectors.select(spec["selector"], labels):
        found.append(causes.invalid(at, labels, text))
    return found


def _indexed(spec: Obj) -> list[Cause]:
    found: list[Cause] = []
    mode = spec["completionMode"]
    known = ("NonIndexed", "Indexed")
    if mode not in known:
        found.append(causes.not_supported("spec.completionMode", mode, known))
    if mode == "Indexed":
        if spec.get("completions") is None:
            text = "when completion mode is Indexed"
            found.append(causes.required("spec.completions", text))
    else:
        text = "requires indexed completion mode"
        found += [
            causes.invalid(f"spec.{field}", spec[field], text)
            for field in ("backoffLimitPerIndex", "maxFailedIndexes")
            if spec.get(field) is not None
        ]
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        text = "when maxFailedIndexes is specified"
        found.append(causes.required("spec.backoffLimitPerIndex", text))
    return found


def _failure_policy(spec: Obj) -> list[Cause]:
    policy = spec.get("podFailurePolicy")
    if policy is None:
        return []
    found: list[Cause] = []
    known = {c.get("name") for c in podspec.containers(spec["template"]["spec"])}
    for number, rule in enumerate(policy.get("rules") or ()):
        at = index("spec.podFailurePolicy.rules", number)
        found += _failure_rule(rule, at, known)
    if spec["podReplacementPolicy"] != "Failed":
        at = "spec.podReplacementPolicy"
        found.append(causes.not_supported(at, spec["podReplacementPolicy"], ("Failed",)))
    return found


def _failure_rule(rule: Obj, at: str, known: set[str | None]) -> list[Cause]:
    found: list[Cause] = []
    if rule.get("action") and rule["action"] not in _ACTIONS:
        found.append(causes.not_supported(child(at, "action"), rule["action"], _ACTIONS))
    codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or []
    if codes is not None:
        found += _exit_codes(codes, child(at, "onExitCodes"), known)
    if codes is not None and conditions:
        text = "specifying both OnExitCodes and OnPodConditions is not supported"
        found.append(causes.invalid(at, causes.OMITTED, text))
    elif codes is None and not conditions:
        text = "specifying one of OnExitCodes and OnPodConditions is required"
        found.append(causes.invalid(at, causes.OMITTED, text))
    return found


def _exit_codes(codes: Obj, place: str, known: set[str | None]) -> list[Cause]:
    found: list[Cause] = []
    name = codes.get("containerName")
    if name is not None and name not in known:
        text = "must be one of the container or initContainer names in the pod template"
        found.append(causes.invalid(child(place, "containerName"), name, text))
    operator, values = codes.get("operator"), codes.get("values") or []
    if operator and operator not in ("In", "NotIn"):
        found.append(causes.not_supported(child(place, "operator"), operator, ("In", "NotIn")))
    if not values:
        text = "at least one value is required"
        found.append(causes.invalid(child(place, "values"), values, text))
    elif 0 in values and operator == "In":
        text = "must not be 0 for the In operator"
        at_value = index(child(place, "values"), values.index(0))
        found.append(causes.invalid(at_value, 0, text))
    elif values != sorted(set(values)):
        text = "must be ordered" if values != sorted(values) else "must be unique"
        found.append(causes.invalid(child(place, "values"), values, text))
    return found
