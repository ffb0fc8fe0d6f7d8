"""spec.notify of a Deployment: who is told what happens to it."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from pawl.api.base import ApiModel

Occurrence = Literal[
    "RolloutStarted",
    "AwaitingPromotion",
    "Promoted",
    "PromotedUnproven",
    "Pinned",
    "Inconclusive",
    "GateFailed",
    "CandidateBroken",
    "Aborted",
    "RolledBack",
    "Drifted",
    "DriftEnded",
    "RetrainStarted",
    "RetrainFailed",
    "RetrainFruitless",
    "NoNewData",
    "Trained",
    "BreakerOpen",
]
OCCURRENCES: tuple[Occurrence, ...] = get_args(Occurrence)


class Notify(ApiModel):
    """A webhook that gets CloudEvents (docs/notifications.md)."""

    webhook: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^https?://[^\s@]+$")] = (
        Field(description="Where they are posted to. Redirects are not followed.")
    )
    events: Annotated[tuple[Occurrence, ...], Field(max_length=32)] = Field(
        (), description="Reasons of the Kubernetes events that are told; default: all of these."
    )
    secret_name: (
        Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")] | None
    ) = Field(
        None,
        description="A Secret whose `key` (whsec_… of Standard Webhooks) signs them; default: they "
        "are not signed. Of other names than pawl-notify the operator must be allowed to get it.",
    )
