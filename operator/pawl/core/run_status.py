"""What the Job and the pods of a run say: how far it is, and why it failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from pawl.artifacts.runs import LastWords, Termination
from pawl.constants import CHECKPOINTS, EXIT_STORE_UNREACHABLE, EXIT_USER_ERROR

Object = Mapping[str, Any]

#: Per cent done when a stage begins.
_PROGRESS = {"fetch": 2, "prepare": 5, "train": 30, "publish": 75}
_PULL_ERRORS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_INDEX = "batch.kubernetes.io/job-completion-index"
_OTHER_WAITS = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")


@dataclass(frozen=True)
class Trouble:
    """Why a run failed, or what keeps it from going on. `stage` is empty when no stage is to
    blame."""

    reason: str
    message: str
    stage: str = ""


def job_condition(job: Object, type_: str) -> Object | None:
    """The Job's condition of that type, if it is True."""
    for condition in job.get("status", {}).get("conditions", []):
        if condition["type"] == type_ and condition["status"] == "True":
            return condition  # type: ignore[no-any-return]
    return None


def is_over(job: Object) -> bool:
    """Whether a Job has ended."""
    return any(job_condition(job, end) is not None for end in ("Complete", "Failed"))


def latest(pods: Iterable[Object]) -> list[Object]:
    """The newest pod of each worker, that of worker 0 first; one where there is a single worker."""
    found = {worker_of(pod): pod for pod in sorted(pods, key=_age)}
    return [found[worker] for worker in sorted(found)]


def newest(pods: Iterable[Object]) -> Object | None:
    """The pod of the latest attempt; of several workers that of worker 0."""
    return next(iter(latest(pods)), None)


def worker_of(pod: Object) -> int:
    """Which of several workers a pod is."""
    return int(pod["metadata"].get("annotations", {}).get(_INDEX, 0))


def _age(pod: Object) -> tuple[str, str]:
    return pod["metadata"].get("creationTimestamp", ""), pod["metadata"]["name"]


def container_statuses(pod: Object) -> list[Object]:
    """Init containers first, in order."""
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def image_ids(pods: Iterable[Object]) -> dict[str, str]:
    """What the images of the newest pod's containers were, as far as it tells."""
    pod = newest(pods)
    every = container_statuses(pod) if pod else []
    return {status["name"]: status["imageID"] for status in every if status.get("imageID")}


def is_running(pod: Object, container: str) -> bool:
    """Whether that container of a pod runs now."""
    return any(
        status["name"] == container and "running" in status.get("state", {})
        for status in container_statuses(pod)
    )


def progress(pod: Object | None, percent: float | None = None) -> int:
    """Per cent, by the stage that is running; `train` is done to `percent`, where it says so."""
    done = 0
    for status in container_statuses(pod) if pod else []:
        state = status.get("state", {})
        if "running" in state or "terminated" in state:
            done = max(done, _PROGRESS.get(status["name"], 0))
    first, after = _PROGRESS["train"], _PROGRESS["publish"]
    if percent is not None and done == first:
        return min(first + int((after - first) * percent / 100), after - 1)
    return done


def stage_of(done: int) -> str:
    """The stage that runs then; empty before the first."""
    begun = [stage for stage, begins in _PROGRESS.items() if begins <= done]
    return begun[-1] if begun else ""


def stage_succeeded(pods: Iterable[Object], stage: str) -> bool:
    """Whether any attempt got through that stage."""
    return any(
        status["name"] == stage
        and status.get("state", {}).get("terminated", {}).get("exitCode") == 0
        for pod in pods
        for status in container_statuses(pod)
    )


def blocked(pods: Iterable[Object]) -> Trouble | None:
    """What keeps a pod from starting: an image, the scheduler, a missing Secret or ConfigMap."""
    return next((trouble for pod in latest(pods) if (trouble := _blocked(pod))), None)


def refused(message: str) -> Trouble | None:
    """What keeps pods from being created, as the API server says it (empty: nothing)."""
    if not message:
        return None
    return Trouble("QuotaExceeded" if "exceeded quota" in message else "PodsRefused", message[:500])


def _blocked(pod: Object) -> Trouble | None:
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Trouble("Unschedulable", condition.get("message", ""))
    for status in container_statuses(pod):
        waiting = status.get("state", {}).get("waiting", {})
        reason = waiting.get("reason", "")
        if reason in _PULL_ERRORS:
            text = f"image {status.get('image', '')} cannot be pulled: {waiting.get('message', '')}"
            return Trouble("ImagePullFailed", text, status["name"])
        if reason in _OTHER_WAITS:
            return Trouble(reason, waiting.get("message", ""), status["name"])
    return None


def last_words(pods: Iterable[Object]) -> str:
    """The termination message of a container that ended, else why it waits to be tried again."""
    waiting = ""
    for pod in pods:
        for status in container_statuses(pod):
            state = status.get("state", {})
            ended = status.get("lastState", {}).get("terminated") or state.get("terminated") or {}
            if ended.get("message"):
                return _words(str(ended["message"]).strip())
            waiting = waiting or state.get("waiting", {}).get("message", "")
    return waiting


def _words(message: str) -> str:
    """A server's sentence; of anything else, as of a crash that only the log tells of, the end."""
    try:
        told = LastWords.model_validate_json(message)
    except ValidationError:
        return message[-300:]
    return f"{told.reason}: {told.message}"[:300]


def failure(job: Object, pods: Iterable[Object]) -> Trouble:
    """Why the Job failed, in the words of the stage that did where it could still speak."""
    condition = job_condition(job, "Failed") or {}
    if condition.get("reason") == "DeadlineExceeded":
        limit = job["spec"].get("activeDeadlineSeconds")
        stage = _running_stage(pods)
        at = f" in stage {stage}" if stage else ""
        return Trouble(
            "DeadlineExceeded",
            f"the run was stopped{at} after activeDeadlineSeconds: {limit}",
            stage,
        )
    failed = [pod for pod in pods if pod.get("status", {}).get("phase") == "Failed"]
    ends = [
        (pod, status["name"], ended)
        for pod in sorted(failed, key=_age, reverse=True)
        for status in container_statuses(pod)
        if status["name"] != CHECKPOINTS  # it decides nothing, and may be killed in the end
        and (ended := status.get("state", {}).get("terminated") or {}).get("exitCode", 0) != 0
    ]
    if not ends:
        reason = condition.get("reason", "Failed")
        return Trouble(reason, condition.get("message", "the Job failed"))
    if job["spec"].get("completionMode") != "Indexed":
        return _ended(*ends[0])
    # the first that failed: without it the others could not go on
    first = min(ends, key=lambda end: str(end[2].get("finishedAt", "")))
    told = _ended(*first)
    return replace(told, message=f"worker {worker_of(first[0])}: {told.message}")


def _ended(pod: Object, stage: str, ended: Object) -> Trouble:
    code = ended["exitCode"]
    if ended.get("reason") == "OOMKilled":
        limit = _memory_limit(pod, stage)
        hint = f" of {limit}" if limit else ""
        return Trouble(
            "OutOfMemory",
            f"stage {stage} was killed at its memory limit{hint}; raise template.resources",
            stage,
        )
    told = _told(ended.get("message", ""))
    if told is not None:
        return Trouble(told.reason, told.message, stage)
    if code == EXIT_STORE_UNREACHABLE:
        return Trouble("StoreUnreachable", "the artifact store did not answer", stage)
    reason = "InvalidInput" if code == EXIT_USER_ERROR else "StageFailed"
    tail = ended.get("message", "").strip()[-300:]
    text = f"stage {stage} ended with exit code {code}" + (f": {tail}" if tail else "")
    return Trouble(reason, text, stage)


def _told(message: str) -> Termination | None:
    try:
        return Termination.model_validate_json(message)
    except ValidationError:
        return None


def _running_stage(pods: Iterable[Object]) -> str:
    pod = newest(pods)
    begun = [
        status["name"]
        for status in (container_statuses(pod) if pod else [])
        if status.get("state", {}).get("running") or status.get("state", {}).get("terminated")
    ]
    return begun[-1] if begun else ""


def _memory_limit(pod: Object, container: str) -> str:
    spec = pod.get("spec", {})
    for entry in [*spec.get("initContainers", []), *spec.get("containers", [])]:
        if entry["name"] == container:
            return str(entry.get("resources", {}).get("limits", {}).get("memory", ""))
    return ""
