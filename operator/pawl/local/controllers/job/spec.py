"""The fields of a Job and of its pods, read with the API server's defaults."""

from dataclasses import dataclass

from pawl.local.controllers.objects import Obj, annotations, finalizers, find_condition
from pawl.local.controllers.objects import spec as spec_of
from pawl.local.controllers.objects import status as status_of

API_VERSION, KIND = "batch/v1", "Job"
TRACKING_FINALIZER = "batch.kubernetes.io/job-tracking"
COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"  # label and annotation
INDEX_FAILURES = "batch.kubernetes.io/job-index-failure-count"
INDEX_IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"
CONTROLLER_NAME = "kubernetes.io/job-controller"


@dataclass(frozen=True)
class JobSpec:
    """spec of a Job; None means what leaving the field out means."""

    parallelism: int
    completions: int | None
    indexed: bool
    suspended: bool
    backoff_limit: int
    backoff_limit_per_index: int | None
    max_failed_indexes: int | None
    active_deadline: float | None
    failure_policy: Obj | None
    success_policy: Obj | None
    replace_only_failed: bool
    restart_on_failure: bool
    template: Obj
    managed_elsewhere: bool

    @property
    def index_count(self) -> int:
        """Completions of an Indexed Job (validation requires them)."""
        return self.completions or 0


def read(job: Obj) -> JobSpec:
    spec = spec_of(job)
    template = spec.get("template") or {}
    per_index = spec.get("backoffLimitPerIndex")
    policy = spec.get("podFailurePolicy")
    managed_by = spec.get("managedBy")
    return JobSpec(
        parallelism=_int(spec.get("parallelism"), 1),
        completions=spec.get("completions"),
        indexed=spec.get("completionMode") == "Indexed",
        suspended=bool(spec.get("suspend")),
        backoff_limit=_int(spec.get("backoffLimit"), 6 if per_index is None else 2**31 - 1),
        backoff_limit_per_index=per_index,
        max_failed_indexes=spec.get("maxFailedIndexes"),
        active_deadline=spec.get("activeDeadlineSeconds"),
        failure_policy=policy,
        success_policy=spec.get("successPolicy"),
        replace_only_failed=spec.get("podReplacementPolicy") == "Failed" or policy is not None,
        restart_on_failure=spec_of(template).get("restartPolicy") == "OnFailure",
        template=template,
        managed_elsewhere=managed_by not in {None, CONTROLLER_NAME},
    )


def _int(value: int | None, default: int) -> int:
    return default if value is None else value


def is_finished(job: Obj) -> bool:
    """Whether the Job has its terminal condition, Complete or Failed."""
    conditions = status_of(job).get("conditions") or ()
    found = (find_condition(conditions, kind) for kind in ("Complete", "Failed"))
    return any(c is not None and c.get("status") == "True" for c in found)


def is_tracked(pod: Obj) -> bool:
    """Whether the pod has not been counted in the Job's status yet."""
    return TRACKING_FINALIZER in finalizers(pod)


def completion_index(pod: Obj) -> int | None:
    text = annotations(pod).get(COMPLETION_INDEX, "")
    return int(text) if text.isascii() and text.isdigit() else None


def count_annotation(pod: Obj, key: str) -> int:
    """0 for anything that is not a count: the annotation may have been edited."""
    text = annotations(pod).get(key, "")
    return int(text) if text.isascii() and text.isdigit() and int(text) < 2**31 else 0


def absolute_failures(pod: Obj) -> int:
    return count_annotation(pod, INDEX_FAILURES) + count_annotation(pod, INDEX_IGNORED_FAILURES)
