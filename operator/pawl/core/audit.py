"""Who asked for what, when and why: read from an object and told to the decision record.

The API server records in managedFields who wrote a field last, and when: that entry is the actor.
A reason names what it is given for (`pawl.dev/reason: "abort churn-v8: it is slow"`), so one that
was left behind is never taken for another command's. Users count only where an admission policy
vouches for them: the one whom the API server stamped on the command or decision
(`requested-by.pawl.dev/promote`), else the one named by `pawl.dev/requested-by`, and that only for
what the same manager wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pawl.api.audit import Request
from pawl.artifacts.redact import redact
from pawl.constants import GROUP
from pawl.core import commands
from pawl.core.conditions import timestamp
from pawl.core.plan import Draft, Event, RecordDecision

Object = Mapping[str, Any]
REASON = f"{GROUP}/reason"
REQUESTED_BY = f"{GROUP}/requested-by"
_STAMP = f"requested-by.{GROUP}/"
#: Annotations whose owners the audit looks at.
ANNOTATIONS = (*commands.ALL, REASON, REQUESTED_BY)
#: How the command line, the status and the log call a command.
WORDS = {
    commands.PROMOTE: "promote",
    commands.ABORT: "abort",
    commands.PAUSE: "pause",
    commands.RETRY: "retry",
    commands.RESET: "reset",
}


_NOBODY = "unknown"


@dataclass(frozen=True)
class _Writer:
    """An entry of managedFields."""

    name: str
    at: str | None
    annotations: frozenset[str]


def asked(item: Object, *, trusted: bool, now: datetime) -> tuple[Request, ...]:
    """The commands that an object's annotations carry, in the order of `commands.ALL`."""
    found = item["metadata"].get("annotations") or {}
    return tuple(
        _request(
            item,
            _writer(item, f"f:{name}", in_spec=False),
            word,
            str(found[name]),
            name.removeprefix(f"{GROUP}/"),
            trusted=trusted,
            now=now,
        )
        for name, word in WORDS.items()
        if found.get(name)
    )


def decided(item: Object, *, trusted: bool, now: datetime) -> Request | None:
    """How `spec.approval` was decided by somebody; None while it was not."""
    value = item["spec"].get("approval", "")
    if value not in ("Approved", "Rejected"):
        return None
    word = "approve" if value == "Approved" else "reject"
    return _decision(item, word, "approval", "approval", trusted=trusted, now=now)


def imported(item: Object, *, trusted: bool, now: datetime) -> Request:
    """Who wrote a ModelVersion that no run has made."""
    return _decision(item, "import", "artifact", "import", trusted=trusted, now=now)


def _decision(
    item: Object, word: str, field: str, stamp: str, *, trusted: bool, now: datetime
) -> Request:
    """About a whole ModelVersion, by who wrote a field of its spec."""
    name = str(item["metadata"]["name"])
    writer = _writer(item, f"f:{field}", in_spec=True)
    return _request(item, writer, word, name, stamp, trusted=trusted, now=now)


def _request(
    item: Object,
    writer: _Writer | None,
    word: str,
    value: str,
    stamp: str,
    *,
    trusted: bool,
    now: datetime,
) -> Request:
    given = item["metadata"].get("annotations") or {}
    mine = writer.annotations if writer is not None else frozenset()
    reason = given.get(REASON, "")
    prefix = because(word, value, "")
    named = given.get(REQUESTED_BY, "") if REQUESTED_BY in mine else ""
    user = given.get(f"{_STAMP}{stamp}", named) if trusted else ""
    return Request(
        command=word,
        value=value[:128],
        at=(writer.at if writer is not None else None) or timestamp(now),
        by=writer.name[:128] if writer is not None else _NOBODY,
        user=user[:256] or None,
        reason=redact(reason.removeprefix(prefix))[:512] or None
        if reason.startswith(prefix)
        else None,
    )


def because(word: str, value: str, reason: str) -> str:
    """The value of `pawl.dev/reason`."""
    return f"{word} {value}: {reason}"


def _writer(item: Object, field: str, *, in_spec: bool) -> _Writer | None:
    """Who wrote an annotation, or a field of the spec, last."""
    found = []
    for entry in item["metadata"].get("managedFields") or ():
        fields = entry.get("fieldsV1") or {}
        annotations = fields.get("f:metadata", {}).get("f:annotations", {})
        owned = fields.get("f:spec", {}) if in_spec else annotations
        if field in owned:
            names = frozenset(key.removeprefix("f:") for key in annotations)
            found.append(_Writer(str(entry.get("manager", "")), entry.get("time"), names))
    return max(found, key=lambda writer: writer.at or "", default=None)


def record(
    draft: Draft, item: Object, model: str, requests: Iterable[Request], told: Collection[Request]
) -> tuple[Request, ...]:
    """The requests for the status, where each that was `told` before stays as it was: the time of
    an entry moves with whatever its manager writes. For each new one there is a line in the
    decision record, and an event."""
    found = []
    for request in requests:
        old = next((old for old in told if _same(old, request)), None)
        found.append(old or request)
        if old is None:
            draft.lines.append(line(item, model, request))
            draft.events.append(Event("Requested", sentence(request)))
    return tuple(found)


def _same(old: Request, new: Request) -> bool:
    """Somebody may have cleared managedFields since: then nobody else has asked."""
    return (old.command, old.value) == (new.command, new.value) and new.by in (old.by, _NOBODY)


def line(item: Object, model: str, request: Request) -> RecordDecision:
    """A request as it stands in the decision record."""
    meta = item["metadata"]
    name = f"{request.at}-{meta['name']}-{request.command}-{_safe(request.value)}"
    about = {"deployment": meta["name"]} if item["kind"] == "Deployment" else {}
    content = {**about, "version": request.value, **request.model_dump(exclude_none=True)}
    return RecordDecision(meta["namespace"], model, name, content)


def sentence(request: Request) -> str:
    """For people."""
    who = f"{request.user} ({request.by})" if request.user else request.by
    why = f": {request.reason}" if request.reason else ""
    return f"{request.command} {request.value} by {who}{why}"


def _safe(value: str) -> str:
    """As a part of a file name."""
    return "".join(ch if ch.isalnum() or ch in "-." else "_" for ch in value)
