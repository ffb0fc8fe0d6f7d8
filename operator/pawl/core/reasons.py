"""The reasons of all Kubernetes events that Pawl tells (docs/events.md): a closed list, which the
type checker holds every event against."""

from __future__ import annotations

from typing import Literal, get_args

Reason = Literal[
    # of a TrainingJob
    "RunStarted",
    "StageStarted",
    "RunBlocked",
    "AttemptFailed",
    "BestTrial",
    "TrialFailed",
    "SearchFinished",
    "RunSucceeded",
    "RunFailed",
    "RunSuperseded",
    "NoNewData",
    "GateFail",
    "GateInconclusive",
    "GateError",
    "ModelWarning",
    "Suspended",
    "Resumed",
    "NotTracked",
    "Tracked",
    # of a ModelVersion: its stage, its artifact, its approval
    "Pending",
    "Candidate",
    "Champion",
    "Archived",
    "Rejected",
    "Unverified",
    "Verified",
    "AwaitingApproval",
    "Approved",
    # of a Deployment: what it serves
    "Starting",
    "Available",
    "Unavailable",
    "Promoted",
    "Pinned",
    "RolledBack",
    # why it cannot serve what it should
    "NoVersion",
    "Verifying",
    "VersionNotFound",
    "VersionDeleted",
    "VersionRejected",
    "ArtifactInvalid",
    "NameTaken",
    "NotSupported",
    "NoPrometheus",
    "NoCustomMetrics",
    # its rollout
    "RolloutStarted",
    "RolloutAdvanced",
    "Superseded",
    "Paused",
    "AwaitingPromotion",
    "PromotionRefused",
    "PromotedUnproven",
    "HoldbackEnded",
    "GateFailed",
    "CandidateBroken",
    "Aborted",
    "Inconclusive",
    # its watch
    "Drifted",
    "DriftEnded",
    "RetrainStarted",
    "RetrainFailed",
    "RetrainFruitless",
    "Trained",
    "NoRecipe",
    "BreakerOpen",
    "BreakerClosed",
    "NotCapturing",
    "NotifyFailed",
    # of any of them
    "Requested",
    "InvalidSpec",
    "UriNotAllowed",
    "Refused",
    "StoreUnreachable",
]
REASONS: tuple[Reason, ...] = get_args(Reason)
