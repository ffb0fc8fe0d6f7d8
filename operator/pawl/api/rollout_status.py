"""What a rollout has come to: its stage, its gates with their evidence, and what it must remember.

All that cannot be observed again is here, small and versioned: when a step began, up to when was
measured, the evidence of each gate. With the same status and the same measurement, planning gives
the same again, so an operator that dies between two writes changes nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pawl.api.base import Digest, StatusModel, Time, Verdict

RolloutPhase = Literal["Shadow", "Canary", "Promoting", "Holdback", "RollingBack"]
Stage = Literal["shadow", "canary"]


class ArmStatus(StatusModel):
    """One side of a comparison."""

    value: float | None = None
    samples: int = 0


class RolloutGate(StatusModel):
    """One gate: both sides, the interval of their difference (or of the value that has an absolute
    limit), and how sure it is."""

    stage: Stage
    metric: Annotated[str, Field(max_length=64)]
    limit: Annotated[str, Field(max_length=64)] = Field("", description="In words.")
    required: bool = True
    verdict: Verdict = "Inconclusive"
    stable: ArmStatus | None = None
    candidate: ArmStatus | None = None
    interval: Annotated[tuple[float, ...], Field(max_length=2)] = Field(
        (), description="Lower and upper bound of what is judged, valid at any time."
    )
    needed: int | None = Field(
        None, description="Candidate requests that are expected to be needed still."
    )
    message: Annotated[str, Field(max_length=256)] = ""
    evidence: Annotated[str, Field(max_length=4096)] = Field(
        "", description="State of the sequential test, for the operator only."
    )


class ShadowReport(StatusModel):
    """What the copies have shown so far, with or without gates on it."""

    pairs: int = Field(0, description="Requests whose two answers were compared.")
    disagreement: float | None = Field(None, description="Share of pairs with different labels.")
    difference_p50: float | None = Field(None, description="Of the scores or values, absolute.")
    difference_p95: float | None = None
    relative_difference_p95: float | None = None
    calibration_shift: float | None = Field(None, description="Mean of candidate − stable.")
    latency_ratio: float | None = Field(None, description="Candidate over stable, of the means.")
    stable_error_rate: float | None = None
    candidate_error_rate: float | None = None
    sums: Annotated[str, Field(max_length=4096)] = Field("", description="For the operator only.")


class RouterTotals(StatusModel):
    """Up to where a router's counters have been taken into account."""

    router: Annotated[str, Field(max_length=253)] = Field(description="Its pod.")
    started: Annotated[str, Field(max_length=64)] = Field("", description="Names its process.")
    uptime: int = Field(0, description="Its age then, in seconds.")
    routes: Annotated[str, Field(max_length=64)] = Field(
        "", description="Revision of the routes that it followed."
    )
    requests: Annotated[dict[str, int], Field(max_length=4)] = Field({}, description="By version.")
    errors: Annotated[dict[str, int], Field(max_length=4)] = Field({}, description="By version.")
    abandoned: Annotated[dict[str, int], Field(max_length=4)] = Field(
        {}, description="By version; those of the errors whose client went."
    )


class RolloutStatus(StatusModel):
    """A rollout under way."""

    phase: RolloutPhase
    candidate: Annotated[str, Field(max_length=63)]
    digest: Digest
    attempt: int = Field(1, description="Counts the rollouts of this candidate.")
    reference: int = Field(description="The version that it is compared with, and goes back to.")
    step: int = Field(0, description="Of the canary, from 0.")
    weight: Annotated[int, Field(ge=0, le=100)] = Field(
        0, description="Share that the candidate should have now, in per cent."
    )
    started_at: Time
    stage_started_at: Time | None = Field(
        None, description="When every router had the first weights of this stage."
    )
    step_started_at: Time | None = Field(
        None, description="When every router had the weight of this step."
    )
    step_samples: int = Field(0, description="Requests that the candidate answered in this step.")
    failing: int = Field(0, description="Requests in a row that the candidate failed, all of them.")
    paused_at: Time | None = None
    measured_to: int | None = Field(
        None, description="End of the last measured interval, seconds since 1970."
    )
    message: Annotated[str, Field(max_length=512)] = ""
    warning: Annotated[str, Field(max_length=512)] = Field(
        "", description="What keeps the decision from being made."
    )
    gates: Annotated[tuple[RolloutGate, ...], Field(max_length=17)] = Field(
        (), description="Those of the spec, and traffic_split."
    )
    shadow: ShadowReport | None = None
    routers: Annotated[tuple[RouterTotals, ...], Field(max_length=32)] = ()


class RolledBack(StatusModel):
    """A candidate that is not tried again until the spec or its approval changes."""

    version: Annotated[str, Field(max_length=63)]
    digest: Digest
    attempt: int = 1
    generation: int = Field(description="Of the Deployment, when it was rolled back.")
    approval: Annotated[str, Field(max_length=16)] = ""
    at: Time
    reason: Annotated[str, Field(max_length=64)] = ""
    message: Annotated[str, Field(max_length=512)] = ""
