"""Plans a ModelVersion: verification of its artifact, its stage, and who serves it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from pawl.api.audit import Request
from pawl.api.modelversion import ModelVersion, ModelVersionStatus, Stage
from pawl.artifacts.uris import NOT_ALLOWED
from pawl.core import audit, transitions
from pawl.core.conditions import Conditions
from pawl.core.invalid import plan_invalid
from pawl.core.plan import Draft, Event, Plan
from pawl.core.recall import version_line
from pawl.core.score import score
from pawl.core.versions import Version, champion, read_versions, stage, undecided

Object = Mapping[str, Any]
_RETRY = 15.0
#: What depends on the champion: not told anew while that is not known.
_COMPARED = ("Champion", "Archived", "Candidate")


@dataclass(frozen=True)
class Verification:
    """What reading the artifact gave. `digest` is set when the bytes are what they must be."""

    digest: str | None = None
    reason: str = ""
    message: str = ""
    final: bool = False  # trying again cannot help
    signed_by: str | None = None  # id of the trusted key that vouches for it


@dataclass(frozen=True)
class ModelVersionObserved:
    """All that is looked at. `verification` is `settled(object)` where that is something: an
    artifact is read until a reading is final, and then never again."""

    object: Object
    siblings: tuple[Object, ...]  # the ModelVersions of the namespace, this one included
    deployments: tuple[Object, ...]  # pawl Deployments of the same model and namespace
    verification: Verification
    trust_requested_by: bool = False


def settled(item: Object, keys: Collection[str] = ()) -> Verification | None:
    """What an earlier reading of the artifact has settled, by the status; artifacts never change.
    None: it has to be read. `keys` are the ids of the keys that are trusted now: one of them has to
    vouch for it, where there are any."""
    status = ModelVersionStatus.model_validate(item.get("status") or {})
    told = next((c for c in status.conditions if c.type == "ArtifactVerified"), None)
    if told is None:
        return None
    wanted = item["spec"]["artifact"]["digest"]
    if told.status == "True" and status.verified_digest == wanted:
        if keys and status.signed_by not in keys:
            return None
        return Verification(digest=wanted, signed_by=status.signed_by)
    if told.status == "False" and told.reason != "SignatureInvalid":
        return Verification(reason=told.reason, message=told.message, final=True)
    return None


def plan_model_version(observed: ModelVersionObserved, now: datetime) -> Plan:
    """The plan: a status, and what is recorded of the version in the store."""
    item = observed.object
    generation = item["metadata"].get("generation", 0)
    draft = Draft()
    try:
        parsed = ModelVersion.model_validate(item)
    except ValidationError as error:
        old = ModelVersionStatus.model_validate(item.get("status") or {})
        return plan_invalid(old, item, error, now)
    conditions = Conditions(parsed.status.conditions, generation=generation, now=now)
    verified = _verify(observed.verification, parsed, conditions, draft)
    version = _this(observed, parsed, verified)
    others = tuple(
        v for v in read_versions(observed.siblings, parsed.spec.model) if v.name != version.name
    )
    versions = tuple(sorted((*others, version), key=lambda v: v.number))
    where: Stage | None = stage(version, champion(versions, observed.deployments))
    if where in _COMPARED and undecided(
        observed.siblings, observed.deployments, above=version.number
    ):
        where = parsed.status.stage
    _judge(version, observed.verification, conditions)
    draft.events += transitions.events(conditions)
    status = ModelVersionStatus(
        observed_generation=generation,
        conditions=conditions.all(),
        stage=where,
        verified_digest=verified,
        signed_by=observed.verification.signed_by if verified else None,
        deployed_by=_deployed_by(version.name, observed.deployments),
        score=score(parsed.spec.metrics or {}, (g.metric for g in parsed.spec.gates or ())),
        approval=_record(observed, parsed, verified, draft, now),
    )
    if where is not None and where != parsed.status.stage:
        sentence = _sentence(version, where)
        draft.events.append(Event(where, sentence, "Warning" if where == "Rejected" else "Normal"))
    return draft.finish(status.render())


def _record(
    observed: ModelVersionObserved,
    parsed: ModelVersion,
    verified: str | None,
    draft: Draft,
    now: datetime,
) -> Request | None:
    """What there is, once it is verified, and what somebody has decided about it."""
    item, trusted = observed.object, observed.trust_requested_by
    if verified is not None and parsed.status.verified_digest != verified:
        draft.actions.append(version_line(item))
        if parsed.spec.lineage is None or parsed.spec.lineage.training_job is None:
            request = audit.imported(item, trusted=trusted, now=now)
            audit.record(draft, item, parsed.spec.model, (request,), ())
    told = parsed.status.approval
    decided = audit.decided(item, trusted=trusted, now=now)
    requests = (decided,) if decided is not None else ()
    recorded = audit.record(
        draft, item, parsed.spec.model, requests, (told,) if told is not None else ()
    )
    return recorded[0] if recorded else None


def _verify(
    result: Verification, parsed: ModelVersion, conditions: Conditions, draft: Draft
) -> str | None:
    """Sets ArtifactVerified and gives the digest when the bytes have it."""
    wanted = parsed.spec.artifact.digest
    if result.digest == wanted:
        signer = f", signed by key {result.signed_by}" if result.signed_by else ""
        conditions.set("ArtifactVerified", True, "DigestMatches", wanted + signer)
        return wanted
    if result.final:
        conditions.set("ArtifactVerified", False, result.reason, result.message)
    else:
        conditions.set("ArtifactVerified", None, result.reason, result.message)
        draft.requeue(_RETRY)
    return None


def _this(observed: ModelVersionObserved, parsed: ModelVersion, digest: str | None) -> Version:
    meta = observed.object["metadata"]
    failed = digest is None and observed.verification.final
    return Version(
        name=meta["name"],
        namespace=meta["namespace"],
        spec=parsed.spec,
        verified=True if digest else (False if failed else None),
        failure=observed.verification.message if digest is None else "",
    )


def _judge(version: Version, verification: Verification, conditions: Conditions) -> None:
    failed = [g for g in version.spec.gates or () if g.required and g.verdict != "Pass"]
    if failed:
        text = "; ".join(f"{gate.metric}: {gate.message or gate.verdict}" for gate in failed)
        conditions.set("GatesPassed", False, "GateFailed", text)
    else:
        conditions.set("GatesPassed", True, "Passed" if version.spec.gates else "NoGates")
    approval = version.spec.approval
    if approval == "Required":
        conditions.set(
            "Approved", None, "Waiting", "set spec.approval to Approved or Rejected to decide"
        )
    else:
        conditions.set("Approved", approval != "Rejected", approval)
    if version.verified is False:
        conditions.stall("ArtifactInvalid", version.failure)
    elif version.verified is None and verification.reason == NOT_ALLOWED:
        conditions.stall(NOT_ALLOWED, verification.message)
    elif version.verified is None:
        text = version.failure or "the artifact is being read"
        conditions.accept(ready=None, reason="Verifying", message=text)
    else:
        conditions.accept(ready=True, reason="Verified")


def _deployed_by(name: str, deployments: tuple[Object, ...]) -> tuple[dict[str, str], ...]:
    found = [
        {"name": deployment["metadata"]["name"], "role": role}
        for deployment in deployments
        for role in ("stable", "candidate")
        if (deployment.get("status", {}).get(role) or {}).get("name") == name
    ]
    return tuple(sorted(found, key=lambda entry: entry["name"]))[:32]


def _sentence(version: Version, where: str) -> str:
    if where == "Rejected":
        if version.verified is False:
            return f"the artifact is not what it must be: {version.failure}"
        if not version.gates_passed:
            failed = next(g for g in version.spec.gates or () if g.required and g.verdict != "Pass")
            return f"gate {failed.metric}: {failed.message or failed.verdict}"
        return "spec.approval is Rejected"
    return f"{version.name} is now {where}"
