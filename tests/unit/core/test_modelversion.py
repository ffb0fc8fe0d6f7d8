"""The planner of ModelVersion: a verdict on an artifact is given once and stands."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pawl.core.modelversion import (
    ModelVersionObserved,
    Verification,
    plan_model_version,
    settled,
)
from pawl.core.plan import Plan

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
GOOD = Verification(digest=DIGEST)
WRONG = Verification(reason="DigestMismatch", message="model.onnx has sha256 b", final=True)
SILENT = Verification(reason="StoreUnreachable", message="no answer")


def version(**spec: Any) -> dict[str, Any]:
    artifact = {"uri": "file:///store/m.onnx", "digest": DIGEST, "format": "onnx"}
    return {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {"name": "m-v1", "namespace": "ml", "uid": "u", "generation": 1},
        "spec": {"model": "m", "version": 1, "artifact": artifact, **spec},
    }


def plan(item: dict[str, Any], verification: Verification, seconds: int = 0) -> Plan:
    """Plans, and writes the status into `item`."""
    observed = ModelVersionObserved(copy.deepcopy(item), (item,), (), verification)
    made = plan_model_version(observed, NOW + timedelta(seconds=seconds))
    item["status"] = made.status
    return made


@pytest.mark.parametrize(
    ("verification", "stage"), [(GOOD, "Champion"), (WRONG, "Rejected")], ids=["good", "wrong"]
)
def test_a_final_verdict_stands_and_is_told_once(verification: Verification, stage: str):
    item = version()
    first = plan(item, verification)
    assert item["status"]["stage"] == stage
    assert [e.reason for e in first.events if e.reason != "Requested"] == [stage]
    status = copy.deepcopy(item["status"])
    earlier = settled(item)
    assert earlier is not None
    again = plan(item, earlier, seconds=60)
    assert item["status"] == status
    assert again.events == ()
    assert again.requeue_after is None


def test_a_verdict_outlives_a_change_of_the_approval():
    item = version(approval="Required")
    plan(item, WRONG)
    item["spec"]["approval"] = "Approved"
    item["metadata"]["generation"] = 2
    earlier = settled(item)
    assert earlier is not None
    plan(item, earlier)
    assert item["status"]["stage"] == "Rejected"
    assert item["status"]["observedGeneration"] == 2


def test_a_store_that_does_not_answer_settles_nothing():
    item = version()
    made = plan(item, SILENT)
    assert made.requeue_after is not None
    assert settled(item) is None
    assert item["status"]["stage"] == "Pending"


def test_a_status_that_speaks_of_other_bytes_settles_nothing():
    item = version()
    plan(item, GOOD)
    item["spec"]["artifact"]["digest"] = "sha256:" + "c" * 64
    assert settled(item) is None


def test_a_new_object_has_to_be_read():
    assert settled(version()) is None


SIGNED = Verification(digest=DIGEST, signed_by="key-1")


def test_a_verdict_stands_while_the_key_that_vouches_is_trusted():
    item = version()
    plan(item, SIGNED)
    assert item["status"]["signedBy"] == "key-1"
    assert settled(item, {"key-1", "key-2"}) == SIGNED
    assert settled(item, {"key-2"}) is None
    assert settled(item) == SIGNED  # nobody asks for signatures


def test_what_was_verified_before_signatures_were_asked_for_is_looked_at_again():
    item = version()
    plan(item, GOOD)
    assert settled(item, {"key-1"}) is None
    plan(item, Verification(reason="SignatureMissing", message="m is not signed"), seconds=1)
    assert item["status"]["stage"] == "Pending"
    assert "verifiedDigest" not in item["status"]
    ready = next(c for c in item["status"]["conditions"] if c["type"] == "Ready")
    assert ready["message"] == "m is not signed"


def test_an_invalid_signature_rejects_until_it_is_put_right():
    item = version()
    invalid = Verification(reason="SignatureInvalid", message="x is no signature", final=True)
    plan(item, invalid)
    assert item["status"]["stage"] == "Rejected"
    told = {c["type"]: (c["status"], c["reason"]) for c in item["status"]["conditions"]}
    assert told["ArtifactVerified"] == ("False", "SignatureInvalid")
    assert settled(item, {"key-1"}) is None
    plan(item, SIGNED, seconds=60)
    assert item["status"]["stage"] == "Champion"


def test_a_version_is_recorded_once_it_is_verified_and_no_earlier():
    item = version()
    assert not plan(item, SILENT).actions
    first = plan(item, GOOD)
    assert [(a.folder, a.name.split("-")[-2:]) for a in first.actions] == [  # type: ignore[union-attr]
        ("versions", ["m", f"v1.{'a' * 16}.import"]),
        ("log", ["m", "v1"]),
    ]
    assert plan(item, GOOD, seconds=60).actions == ()


def test_an_artifact_that_is_not_allowed_waits_for_the_administrator():
    item = version()
    refused = Verification(reason="UriNotAllowed", message="s3://x is not allowed")
    made = plan(item, refused)
    stalled = next(c for c in item["status"]["conditions"] if c["type"] == "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "UriNotAllowed")
    assert stalled["message"] == "s3://x is not allowed"
    assert made.requeue_after
    assert settled(item) is None
    plan(item, GOOD)
    assert item["status"]["stage"] == "Champion"


STABLE = {"name": "m-v2", "since": "2026-01-01T00:00:00Z"}
UNREACHABLE = {"type": "Available", "status": "False", "reason": "StoreUnreachable"}


@pytest.mark.parametrize(
    ("status", "stage"),
    [
        pytest.param({}, None, id="its status is wiped"),
        pytest.param({"observedGeneration": -1}, None, id="wiped, with the default"),
        pytest.param(
            {"observedGeneration": 1, "conditions": [UNREACHABLE]}, None, id="its record is unread"
        ),
        pytest.param({"observedGeneration": 1}, "Champion", id="it has never promoted one"),
        pytest.param({"observedGeneration": 1, "stable": STABLE}, "Candidate", id="it serves v2"),
    ],
)
def test_what_a_deployment_has_not_told_yet_is_not_guessed(status: Any, stage: str | None):
    """The newest version may have been rolled back."""
    older, newest = version(version=2), version(version=3)
    older["metadata"] |= {"name": "m-v2"}
    newest["metadata"] |= {"name": "m-v3"}
    plan(older, GOOD)
    deployment = {"metadata": {"name": "m"}, "spec": {"model": "m"}, "status": status}
    observed = ModelVersionObserved(newest, (older, newest), (deployment,), GOOD)
    made = plan_model_version(observed, NOW)
    assert made.status is not None
    assert made.status.get("stage") == stage
    assert [e.reason for e in made.events if e.reason != "Requested"] == ([stage] if stage else [])


def test_a_newer_version_that_nobody_has_looked_at_may_be_the_champion():
    older, newest = version(), version(version=2)
    newest["metadata"] |= {"name": "m-v2"}
    siblings = (older, newest)
    made = plan_model_version(ModelVersionObserved(older, siblings, (), GOOD), NOW)
    assert made.status is not None
    assert "stage" not in made.status
    made = plan_model_version(ModelVersionObserved(newest, siblings, (), GOOD), NOW)
    newest["status"] = made.status
    assert newest["status"]["stage"] == "Champion"
    made = plan_model_version(ModelVersionObserved(older, siblings, (), GOOD), NOW)
    assert made.status is not None
    assert made.status["stage"] == "Archived"


def test_a_newer_version_that_is_being_deleted_is_not_waited_for():
    older, newest = version(), version(version=2)
    newest["metadata"] |= {"name": "m-v2", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    made = plan_model_version(ModelVersionObserved(older, (older, newest), (), GOOD), NOW)
    assert made.status is not None
    assert made.status["stage"] == "Champion"


def test_a_stage_that_was_told_stays_until_more_is_known():
    item = version()
    plan(item, GOOD)
    deployment = {"metadata": {"name": "m"}, "spec": {"model": "m"}}
    observed = ModelVersionObserved(item, (item,), (deployment,), GOOD)
    made = plan_model_version(observed, NOW)
    assert made.status == item["status"]
    assert made.events == ()
