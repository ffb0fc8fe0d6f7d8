"""Looks at the data: a Job that tells their digest in its termination message.

The operator has no credentials for data, so it cannot look itself. There is one such Job at a time;
it is read and deleted. A message that is lost (the node is drained) is a look that told nothing.
Each is told what the last one was told of the files, and reads them only when that has changed.
"""

from __future__ import annotations

from pydantic import ValidationError

from pawl import constants as c
from pawl.api.trainingjob import RunStatus
from pawl.api.triggers import PollStatus
from pawl.artifacts.runs import Seen, Termination
from pawl.core import run_status
from pawl.core.conditions import timestamp
from pawl.core.manifests.training import build_poll, configure
from pawl.core.plan import Create, Event
from pawl.core.run_config import as_text, run_config
from pawl.core.run_work import Object, Work, deletion

_LOST = "the Job that looked at the data is gone without a word"


def begin(work: Work, run: RunStatus, old: PollStatus | None) -> PollStatus:
    """Starts a look, configured as `run`."""
    work.values["run"] = run
    number = old.number + 1 if old is not None else 1
    owner = dict(work.observed.object)
    job = build_poll(owner, work.job.spec, number, work.installation, _seen(old))
    configure(job, as_text(run_config(work)))
    work.draft.actions.append(Create(job))
    before = old or PollStatus(at=timestamp(work.now))
    update = {"number": number, "at": timestamp(work.now), "running": True}
    return before.model_copy(update=update)


def read(work: Work, old: PollStatus | None) -> PollStatus | None:
    """The look that is going on, or that has ended; None when there is none since the last that
    was read."""
    job = max(work.observed.polls, key=_number, default=None)
    if job is None:
        return _told(work, old, old, _LOST) if old is not None and old.running else None
    now = PollStatus(
        number=_number(job),
        at=job["metadata"].get("creationTimestamp") or timestamp(work.now),
        running=True,
        digest=old.digest if old is not None else None,
        validator=old.validator if old is not None else None,
    )
    if old is not None and old.number == now.number:
        if not old.running:
            return None  # read, and about to be deleted
        now = old
    pods = [pod for pod in work.observed.poll_pods if _number(pod) == now.number]
    if run_status.job_condition(job, "Failed"):
        return _told(work, old, now, run_status.failure(job, pods).message)
    if not run_status.job_condition(job, "Complete"):
        return now
    said = next((said for pod in pods if (said := _said(pod))), None)
    if said is None:
        return _told(work, old, now, _LOST)
    found = {"digest": said.digest, "validator": said.validator}
    return now.model_copy(update={"running": False, "message": "", **found})


def end(work: Work) -> None:
    """No look goes on, and none that has ended is kept."""
    for job in work.observed.polls:
        if "deletionTimestamp" not in job["metadata"]:
            work.draft.actions.append(deletion(job))


def _told(work: Work, old: PollStatus | None, now: PollStatus, why: str) -> PollStatus:
    """It told nothing, and why; the same reason again is no news."""
    message = why[:512]
    if old is None or old.message != message:
        work.draft.events.append(Event("PollFailed", message, "Warning"))
    return now.model_copy(update={"running": False, "message": message})


def _seen(old: PollStatus | None) -> Seen | None:
    if old is None or old.digest is None or old.validator is None:
        return None
    return Seen(validator=old.validator, digest=old.digest)


def _said(pod: Object) -> Termination | None:
    for status in run_status.container_statuses(pod):
        ended = status.get("state", {}).get("terminated") or {}
        try:
            told = Termination.model_validate_json(ended.get("message", ""))
        except ValidationError:
            continue
        if told.stage == "digest" and told.digest is not None:
            return told
    return None


def _number(item: Object) -> int:
    return int(item["metadata"]["labels"].get(c.LABEL_POLL, "0"))
