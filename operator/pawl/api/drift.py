"""spec.drift and spec.retrain of a Deployment: what is watched, and what follows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pawl.api.base import ApiModel, Column, Name
from pawl.api.duration import Duration

DriftMetric = Literal["psi", "js", "ks", "wasserstein", "chi2"]
RetrainCause = Literal["features", "prediction", "quality", "age"]
_Share = Annotated[float, Field(ge=0, lt=1)]
_Threshold = Annotated[float, Field(gt=0, le=10)]
_METRICS = (
    "psi: population stability index. js: Jensen-Shannon distance. ks: Kolmogorov-Smirnov. "
    "wasserstein: in standard deviations of the baseline. chi2: Cramér's V."
)
_DEFAULT = "Default: that of the metric (psi 0.2, the others 0.1)."


class DriftLimit(ApiModel):
    """How far counts may be from the baseline's."""

    metric: DriftMetric = Field("psi", description=_METRICS)
    threshold: _Threshold | None = Field(None, description=_DEFAULT)


class FeatureLimit(ApiModel):
    """Another limit for one feature."""

    name: Column
    metric: DriftMetric | None = Field(None, description="Default: that of all features.")
    threshold: _Threshold | None = Field(None, description=_DEFAULT)


class FeatureDrift(DriftLimit):
    """How far features may be from the baseline's."""

    overrides: Annotated[tuple[FeatureLimit, ...], Field(max_length=256)] = ()


class Quality(ApiModel):
    """What share of the values of a feature may be unusable."""

    max_missing: _Share | None = None
    max_unseen: _Share | None = Field(
        None, description="Categories that no training row had (beyond the table's own rest)."
    )
    max_out_of_range: _Share | None = Field(
        None, description="Numbers beyond the least and the greatest of the training rows."
    )


class DriftSpec(ApiModel):
    """What the stable version sees and says is compared with its baseline, window by window. A
    window decides once, so that looking often raises no more alarms."""

    window: Duration = Field(
        "1h", description="Length of a window, at least 10s; for ks and wasserstein 100s."
    )
    max_window: Duration = Field(
        "7d", description="A window with too few rows is extended, up to this."
    )
    min_samples: Annotated[int, Field(ge=100, le=10_000_000)] = Field(
        500, description="Rows that a decision needs, and 50 for each bin of a feature."
    )
    features: FeatureDrift | None = FeatureDrift()
    prediction: DriftLimit | None = DriftLimit()
    quality: Quality = Quality()
    stale_after: Duration | None = Field(
        None, description="The stable version counts as stale when it was made longer ago."
    )
    action: Literal["notify", "retrain"] = Field(
        "notify", description="notify: condition, event and notification only."
    )

    @property
    def fine(self) -> bool:
        """Whether a metric needs more bins than features are otherwise counted in."""
        limits = [limit for limit in (self.features, self.prediction) if limit is not None]
        metrics = {limit.metric for limit in limits}
        if self.features is not None:
            metrics |= {limit.metric for limit in self.features.overrides if limit.metric}
        return bool(metrics & {"ks", "wasserstein"})


class Breaker(ApiModel):
    """Stops retraining that does not help."""

    fruitless: Annotated[int, Field(ge=1, le=10)] = Field(
        3,
        description="After so many retrains in a row that gave no better version, or after which "
        "the drift was there again, no more are started until somebody resets it.",
    )


class RetrainSpec(ApiModel):
    """How a successor is trained."""

    from_: Name = Field(
        alias="from",
        description="A TrainingJob of the same model in this namespace: its spec is the recipe.",
    )
    on: Annotated[tuple[RetrainCause, ...], Field(min_length=1, max_length=4)] = Field(
        ("features", "prediction", "quality", "age"),
        description="What of the drift makes a retrain worth while.",
    )
    cooldown: Duration = Field("6h", description="From the start of a retrain to the next.")
    max_per_day: Annotated[int, Field(ge=1, le=48)] = Field(
        2, description="In 24 hours; runs that found no new data do not count."
    )
    breaker: Breaker = Breaker()


def drift_rules() -> tuple[tuple[str, str], ...]:
    """CEL rules of the Deployment's spec about both."""
    return (
        (
            "!has(self.drift) || !has(self.drift.action) || self.drift.action != 'retrain' || "
            "has(self.retrain)",
            "drift.action retrain needs spec.retrain",
        ),
        (
            "!has(self.retrain) || has(self.drift)",
            "retrain needs spec.drift: nothing else starts it",
        ),
    )
