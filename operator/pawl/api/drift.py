"""spec.drift and spec.retrain of a Deployment: what is watched, and what follows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pawl.api.base import ApiModel, Column, Name, cel
from pawl.api.duration import Duration
from pawl.api.metrics import FairnessMetric
from pawl.api.trainingjob import TrainingJobSpec

DriftMetric = Literal["psi", "js", "ks", "wasserstein", "chi2"]
PerformanceMetric = Literal["accuracy", "precision", "recall", "f1", "fpr", "mae", "rmse"]
DriftBaseline = Literal["training", "firstWeek", "sameHourLastWeek"]
RetrainCause = Literal["features", "prediction", "quality", "age", "performance", "fairness"]
_Share = Annotated[float, Field(ge=0, lt=1)]
_Threshold = Annotated[float, Field(gt=0, le=10)]
_METRICS = (
    "psi: population stability index. js: Jensen-Shannon distance. ks: Kolmogorov-Smirnov. "
    "wasserstein: in standard deviations of the baseline. chi2: Cramér's V."
)
_BASELINES = (
    "What windows are compared with. training: the training data. firstWeek: the first week of the "
    "version's own traffic. sameHourLastWeek: the same hours one week earlier. Nothing is told of "
    "the mix until those are known."
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


class Performance(ApiModel):
    """What truth that comes in later (feedback) must say of the answers."""

    model_config = cel(
        (
            "[has(self.min), has(self.max), has(self.notWorseThanBaselineBy)].exists_one(x, x)",
            "give one of min, max and notWorseThanBaselineBy",
        ),
        (
            "!has(self.min) || !(self.metric in ['fpr', 'mae', 'rmse'])",
            "less of fpr, mae and rmse is better: give max",
        ),
        (
            "!has(self.max) || self.metric in ['fpr', 'mae', 'rmse']",
            "only fpr, mae and rmse take max",
        ),
    )
    metric: PerformanceMetric = Field(
        description="precision, recall, f1 and fpr: of two classes, the second one is positive. "
        "mae, rmse: of numbers."
    )
    min: float | None = Field(None, description="The lowest value that passes.")
    max: float | None = Field(None, description="The highest value that passes.")
    not_worse_than_baseline_by: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Against the version's own metric on test rows."
    )
    window: Duration = Field("7d", description="Over how long truth is gathered.")
    label_delay: Duration = Field(
        "1d",
        description="Truth that comes sooner after a promotion is not counted: it is often of "
        "another kind than what comes later. So for a retrain a row counts when it is so old.",
    )


class Fairness(ApiModel):
    """How far apart rates of groups may be. The group comes with the request (parameters.group); it
    is no feature. It is judged together with the performance, over the same window."""

    metric: FairnessMetric = Field(
        description="demographic_parity: of the shares of positive answers. equal_opportunity: of "
        "the recalls. equalized_odds: of recalls and false positive rates. The last two need "
        "feedback."
    )
    attribute: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        description="What the groups are groups of, for who reads the verdict."
    )
    max: Annotated[float, Field(gt=0, lt=1)]


class DriftSpec(ApiModel):
    """What the stable version sees and says is compared with its baseline, window by window. A
    window decides once, so that looking often raises no more alarms."""

    model_config = cel(
        (
            "!has(self.source) || self.source != 'Prometheus' || !("
            "has(self.features) && (self.features.metric in ['ks', 'wasserstein'] || "
            "(has(self.features.overrides) && self.features.overrides.exists(o, has(o.metric) && "
            "o.metric in ['ks', 'wasserstein']))) || "
            "has(self.prediction) && self.prediction.metric in ['ks', 'wasserstein'])",
            "ks and wasserstein need more bins than Prometheus has: source must be Pods",
        ),
        (
            "!self.window.matches('^(0+d)?(0+h)?(0+m)?(0*[0-9]s)?$')",
            "window must be 10s or longer: in less no decision is possible",
        ),
    )
    source: Literal["Pods", "Prometheus"] = Field(
        "Pods",
        description="Who tells the counts. Prometheus: the one of the installation, which has to "
        "scrape the servers with the labels namespace, deployment and version.",
    )
    window: Duration = Field(
        "1h", description="Length of a window, at least 10s; for ks and wasserstein 100s."
    )
    max_window: Duration = Field(
        "7d", description="A window with too few rows is extended, up to this."
    )
    min_samples: Annotated[int, Field(ge=100, le=10_000_000)] = Field(
        500, description="Rows that a decision needs, and 50 for each bin of a feature."
    )
    baseline: DriftBaseline = Field("training", description=_BASELINES)
    features: FeatureDrift | None = FeatureDrift()
    prediction: DriftLimit | None = DriftLimit()
    quality: Quality = Quality()
    performance: Performance | None = None
    fairness: Fairness | None = None
    stale_after: Duration | None = Field(
        None, description="The stable version counts as stale when it was made longer ago."
    )
    action: Literal["notify", "retrain", "rollback"] = Field(
        "notify",
        description="notify: condition, event and notification only. rollback: when performance "
        "fails, the version that was served before takes over at once.",
    )

    @property
    def labels(self) -> tuple[str, str]:
        """Over how long truth is gathered, and from when on after a promotion."""
        found = self.performance
        return (found.window, found.label_delay) if found is not None else ("7d", "0s")

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

    model_config = cel(
        ("has(self.from) != has(self.template)", "give from or template"),
        (
            "!has(self.template) || "
            "(!has(self.template.schedule) && !has(self.template.onDataChange))",
            "drift starts retrains: their template takes no schedule and no onDataChange",
        ),
    )
    from_: Name | None = Field(
        None,
        alias="from",
        description="A TrainingJob of the same model in this namespace: its spec is the recipe.",
    )
    template: TrainingJobSpec | None = Field(None, description="The recipe itself.")
    when: Annotated[tuple[RetrainCause, ...], Field(min_length=1, max_length=6)] | None = Field(
        None,
        description="What of the drift makes a retrain worth while; default: features, prediction, "
        "quality, age and performance.",
    )
    on: Annotated[tuple[RetrainCause, ...], Field(min_length=1, max_length=6)] | None = Field(
        None, description="The former name of `when`, which YAML reads as true."
    )
    cooldown: Duration = Field("6h", description="From the start of a retrain to the next.")
    max_per_day: Annotated[int, Field(ge=1, le=48)] = Field(
        2, description="In 24 hours; runs that found no new data do not count."
    )
    breaker: Breaker = Breaker()
    min_labelled: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        1000,
        description="So many labelled rows, not younger than drift.performance.labelDelay, must "
        "be newer than all of the served version's run, else nothing is trained. Rows are told "
        "apart by data.timeColumn of the recipe; without it this is not looked at.",
    )

    @property
    def causes(self) -> tuple[RetrainCause, ...]:
        """What of the drift makes a retrain worth while."""
        return self.when or self.on or ("features", "prediction", "quality", "age", "performance")


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
        (
            "!has(self.retrain) || !has(self.retrain.template) || "
            "self.retrain.template.model == self.model",
            "retrain.template must train this model",
        ),
        (
            "!has(self.drift) || !has(self.drift.action) || self.drift.action != 'rollback' || "
            "has(self.drift.performance)",
            "drift.action rollback needs drift.performance",
        ),
        (
            "!has(self.server) || !has(self.server.feedback) || self.server.feedback || "
            "!has(self.drift) || !(has(self.drift.performance) || (has(self.drift.fairness) && "
            "self.drift.fairness.metric != 'demographic_parity_difference'))",
            "performance, and fairness of what is true, need server.feedback",
        ),
    )
