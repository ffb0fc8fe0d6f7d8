"""podFailurePolicy and successPolicy of a Job, with the real messages.

Sources: pkg/controller/job/pod_failure_policy.go and success_policy.go.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pawl.local.controllers import pods as pod_rules
from pawl.local.controllers.job import indexes
from pawl.local.controllers.job.spec import JobSpec
from pawl.local.controllers.objects import Obj, deleting, name, namespace, status


@dataclass(frozen=True)
class Verdict:
    """What a pod's failure means: is it counted, and does it fail the index or the whole Job."""

    counted: bool = True
    fail_job_message: str | None = None
    fail_index: bool = False


def is_failed(pod: Obj, job: JobSpec) -> bool:
    """Failed, or (unless only failed pods are replaced) deleted before it succeeded."""
    if pod_rules.phase(pod) == "Failed":
        return True
    if job.replace_only_failed:
        return False
    return deleting(pod) and pod_rules.phase(pod) != "Succeeded"


def judge(policy: Obj | None, pod: Obj) -> Verdict:
    """The first rule that matches the failed pod decides; without one the failure counts."""
    for position, rule in enumerate((policy or {}).get("rules") or ()):
        what = _match(rule, pod)
        if what is None:
            continue
        match rule["action"]:
            case "Ignore":
                return Verdict(counted=False)
            case "FailIndex":
                return Verdict(fail_index=True)
            case "Count":
                return Verdict()
            case "FailJob":
                return Verdict(fail_job_message=f"{what} matching FailJob rule at index {position}")
    return Verdict()


def _match(rule: Obj, pod: Obj) -> str | None:
    """What about the pod matches the rule, as the message says it."""
    where = f"{namespace(pod)}/{name(pod)}"
    if (wanted := rule.get("onExitCodes")) is not None:
        for kind in ("containerStatuses", "initContainerStatuses"):
            for container in status(pod).get(kind) or ():
                code = _exit_code(container, wanted)
                if code is not None:
                    who = f"Container {container['name']} for pod {where}"
                    return f"{who} failed with exit code {code}"
    elif (patterns := rule.get("onPodConditions")) is not None:
        for found in status(pod).get("conditions") or ():
            for pattern in patterns:
                same = found["type"] == pattern["type"]
                if same and found["status"] == pattern.get("status", "True"):
                    return f"Pod {where} has condition {found['type']}"
    return None


def _exit_code(container: Obj, wanted: Obj) -> int | None:
    """The container's exit code, if it failed with one that the requirement names."""
    terminated = (container.get("state") or {}).get("terminated")
    if terminated is None or wanted.get("containerName") not in {None, container["name"]}:
        return None
    code = int(terminated["exitCode"])
    listed = code in wanted["values"]
    return code if code != 0 and listed == (wanted["operator"] == "In") else None


def fail_job_message(job: JobSpec, pods: Iterable[Obj]) -> str | None:
    if job.failure_policy is None:
        return None
    verdicts = (judge(job.failure_policy, pod) for pod in pods if is_failed(pod, job))
    return next((v.fail_job_message for v in verdicts if v.fail_job_message), None)


def success_message(job: JobSpec, succeeded: frozenset[int]) -> str | None:
    """The message of the success rule that the succeeded indexes meet."""
    if job.success_policy is None or not succeeded:
        return None
    for position, rule in enumerate(job.success_policy.get("rules") or ()):
        count = rule.get("succeededCount")
        if (text := rule.get("succeededIndexes")) is not None:
            required = indexes.parse(text, job.index_count)
            met = len(required & succeeded)
            if required and (met == len(required) or (count is not None and met >= count)):
                return f"Matched rules at index {position}"
        elif count is not None and len(succeeded) >= count:
            return f"Matched rules at index {position}"
    return None
