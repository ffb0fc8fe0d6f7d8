"""How a new version comes to get the traffic: shadow, canary, decision, holdback.

A Deployment without `rollout` replaces a version directly once its pods are ready.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pawl.api.base import ApiModel, cel
from pawl.api.duration import Duration

ShadowMetric = Literal[
    "disagreement",
    "score_difference_p95",
    "relative_difference_p95",
    "calibration_shift",
    "prediction_psi",
    "latency_p95_ratio",
    "error_rate",
]
CanaryMetric = Literal[
    "error_rate",
    "latency_p50_ratio",
    "latency_p95_ratio",
    "latency_p99_ratio",
    "prediction_psi",
    "accuracy",
    "absolute_error_p90_ratio",
]

_LIMIT = "max is an absolute limit; notWorseBy is the margin against the stable version"
_Positive = Annotated[float, Field(gt=0)]
_Margin = Annotated[float, Field(gt=0, lt=1)]
Required = Annotated[
    bool,
    Field(description="A required gate must pass before promotion; any other only reports."),
]


class ShadowGate(ApiModel):
    """A limit for the answers of a version that only sees copies of the requests."""

    model_config = cel(
        (
            "[has(self.max), has(self.notWorseBy), has(self.aboveOffline)].exists_one(x, x)",
            f"give one of max, notWorseBy and aboveOffline: {_LIMIT}",
        ),
        (
            "has(self.notWorseBy) == (self.metric == 'error_rate')",
            "error_rate takes notWorseBy, every other metric max",
        ),
        (
            "!has(self.aboveOffline) || self.metric == 'disagreement'",
            "only disagreement takes aboveOffline",
        ),
        (
            "!has(self.max) || self.max < 1.0 || "
            "!(self.metric in ['disagreement', 'calibration_shift'])",
            "max of a share, or of a difference of scores, must be below 1",
        ),
    )
    metric: ShadowMetric = Field(
        description="disagreement: share of requests that the two versions answer differently "
        "(classes). *_difference_p95: 95 % of the answers differ by less. calibration_shift: mean "
        "difference of the scores. prediction_psi: between the two versions' answers."
    )
    max: _Positive | None = Field(None, description="The highest value that passes.")
    not_worse_by: _Margin | None = Field(
        None, description="How much higher than the stable version's it may be; 0 could never pass."
    )
    above_offline: _Margin | None = Field(
        None,
        description="How much more the two versions may disagree than they did on test rows when "
        "the candidate was trained (ModelVersion.spec.comparison).",
    )
    required: Required = True


class PrometheusQuery(ApiModel):
    """A number from the Prometheus of the installation. Such a gate has no stated error rate."""

    model_config = cel(
        ("has(self.min) || has(self.max)", "give min or max, or both"),
        ("!has(self.min) || !has(self.max) || self.min <= self.max", "min must not exceed max"),
    )
    query: Annotated[str, Field(min_length=1, max_length=2048)] = Field(
        description="PromQL that gives one value; $(candidate) and $(stable) stand for the numbers "
        "of the versions."
    )
    min: float | None = Field(None, description="The lowest value that passes.")
    max: float | None = Field(None, description="The highest value that passes.")


class CanaryGate(ApiModel):
    """A comparison of the candidate with the stable version over the same time."""

    model_config = cel(
        ("has(self.metric) != has(self.prometheus)", "give metric or prometheus"),
        (
            "!has(self.metric) || has(self.max) != has(self.notWorseBy)",
            f"give max or notWorseBy: {_LIMIT}",
        ),
        (
            "!has(self.metric) || "
            "has(self.notWorseBy) == (self.metric in ['error_rate', 'accuracy'])",
            "error_rate and accuracy take notWorseBy, every other metric max",
        ),
        (
            "!has(self.prometheus) || !(has(self.max) || has(self.notWorseBy))",
            "the limits of a query are prometheus.min and prometheus.max",
        ),
    )
    metric: CanaryMetric | None = Field(
        None,
        description="error_rate: answers 5xx, timeouts and resets, counted by the router. "
        "latency_pN_ratio: the candidate's quantile over the stable version's. accuracy and "
        "absolute_error_p90_ratio need feedback.",
    )
    prometheus: PrometheusQuery | None = None
    max: _Positive | None = Field(None, description="The highest value that passes.")
    not_worse_by: _Margin | None = Field(
        None, description="How much worse than the stable version it may be; 0 could never pass."
    )
    required: Required = True


class ShadowStage(ApiModel):
    """Copies of the requests go to the new version; its answers are compared and thrown away."""

    duration: Duration = Field("10m", description="At least that long.")
    percent: Annotated[int, Field(ge=1, le=100)] = Field(
        100, description="Of the infer requests that are copied."
    )
    gates: Annotated[tuple[ShadowGate, ...], Field(max_length=8)] = Field(
        (), description="All required ones must pass before the version gets any traffic."
    )


class Sticky(ApiModel):
    """Who has the new version keeps it while its weight grows."""

    model_config = cel(
        ("!self.header.lowerAscii().startsWith('x-pawl-')", "headers x-pawl-* are the router's own")
    )
    header: Annotated[str, Field(max_length=64, pattern=r"^[a-zA-Z0-9-]+$")] = Field(
        description="The request header that names the user."
    )


class CanaryStep(ApiModel):
    """A share of the traffic for a while."""

    weight: Annotated[int, Field(ge=1, le=99)] = Field(description="Of the requests, in per cent.")
    duration: Duration = Field("10m", description="At least that long.")


class CanaryStage(ApiModel):
    """The new version gets a growing share of the traffic."""

    model_config = cel(
        (
            "self.steps.map(s, s.weight).isSorted() && "
            "self.steps.all(s, self.steps.exists_one(t, t.weight == s.weight))",
            "the weights of the steps must grow",
        ),
    )
    sticky: Sticky | None = None
    steps: Annotated[tuple[CanaryStep, ...], Field(min_length=1, max_length=10)] = Field(
        description="One after the other; weights must grow."
    )
    gates: Annotated[tuple[CanaryGate, ...], Field(max_length=8)] = Field(
        (), description="Judged over all steps together."
    )


class Decision(ApiModel):
    """How sure a decision must be, and what happens when there is none."""

    model_config = cel(
        (
            "self.onInconclusive != 'Promote' || (has(self.acceptUnproven) && self.acceptUnproven)",
            "onInconclusive: Promote needs acceptUnproven: true",
        ),
    )
    confidence: Annotated[float, Field(ge=0.8, le=0.9999)] = Field(
        0.99,
        description="At most 1 - confidence of the rollouts of equally good versions are rolled "
        "back, and of those worse than a margin are promoted, however often it is looked at.",
    )
    min_samples: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        200, description="Requests that the new version must have answered in a step."
    )
    on_inconclusive: Literal["Wait", "Rollback", "Promote"] = Field(
        "Wait", description="At the deadline, with a required gate still undecided."
    )
    accept_unproven: bool | None = Field(
        None, description="Says that a version may be promoted that no test has passed."
    )
    deadline: Duration = Field("24h", description="From the beginning of the rollout.")


class Holdback(ApiModel):
    """The old version keeps a little traffic after promotion; a late Fail still rolls back."""

    weight: Annotated[int, Field(ge=1, le=50)] = 5
    duration: Duration = "24h"


class RolloutSpec(ApiModel):
    """Stages that a new version goes through before it is promoted."""

    model_config = cel(
        ("has(self.shadow) || has(self.canary)", "give shadow or canary, or both"),
        (
            "!has(self.holdback) || has(self.canary)",
            "holdback compares two versions that both have traffic; it needs canary",
        ),
    )
    shadow: ShadowStage | None = None
    canary: CanaryStage | None = None
    decision: Decision = Decision()
    holdback: Holdback | None = None
    promotion: Literal["Automatic", "Manual"] = Field(
        "Automatic", description="Manual waits for `pawl promote` when all gates have passed."
    )
    paused: bool = Field(
        False, description="Holds stage and weight; a gate that fails still rolls back."
    )
