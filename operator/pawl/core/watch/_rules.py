"""By which rules features and the prediction are judged, as the spec says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from pawl.api.drift import DriftLimit, DriftSpec, FeatureLimit
from pawl.stats.drift.decision import Rule
from pawl.stats.drift.layout import PREDICTION, Layout, called

QUALITY = ("missing", "unseen", "out_of_range")


def rules(spec: DriftSpec, layout: Layout) -> dict[str, tuple[Rule, ...]]:
    """Feature -> by what it is judged."""
    found: dict[str, tuple[Rule, ...]] = {}
    own = {called(limit.name): limit for limit in spec.features.overrides} if spec.features else {}
    for feature in layout.features:
        if feature.name == PREDICTION:
            if spec.prediction is not None:
                found[feature.name] = (_rule(spec.prediction),)
            continue
        some: tuple[Rule, ...] = ()
        if spec.features is not None:
            limit: DriftLimit = spec.features
            if other := own.get(feature.name):
                limit = _own(limit, other)
            some = (_rule(limit),)
        found[feature.name] = (*some, *_quality(spec, feature.kind))
    return found


def unknown(spec: DriftSpec, layout: Layout) -> str:
    """A sentence about overrides of features that there are not; nothing when all are known."""
    known = {feature.name for feature in layout.features}
    limits = spec.features.overrides if spec.features else ()
    names = [limit.name for limit in limits if called(limit.name) not in known]
    shown = ", ".join(names[:5])
    return f"drift.features.overrides: the model has no feature {shown}" if names else ""


def name_of(spec: DriftSpec) -> str:
    """Names the limits of a spec."""
    limits = spec.model_dump_json(include={"features", "prediction", "quality", "baseline"})
    return hashlib.sha256(limits.encode()).hexdigest()[:16]


def _own(limit: DriftLimit, other: FeatureLimit) -> DriftLimit:
    """One feature's. A threshold goes with its metric."""
    metric = other.metric or limit.metric
    usual = limit.threshold if metric == limit.metric else None
    return DriftLimit(metric=metric, threshold=other.threshold or usual)


def _rule(limit: DriftLimit) -> Rule:
    return Rule(limit.metric, limit.threshold)


def _quality(spec: DriftSpec, kind: str) -> Iterable[Rule]:
    """Categories have no range, and of numbers none is unseen."""
    limits = spec.quality
    if limits.max_missing is not None:
        yield Rule("missing", limits.max_missing)
    if limits.max_unseen is not None and kind == "category":
        yield Rule("unseen", limits.max_unseen)
    if limits.max_out_of_range is not None and kind == "numeric":
        yield Rule("out_of_range", limits.max_out_of_range)
