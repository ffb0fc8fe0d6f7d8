"""What a Deployment asks for and this cluster or installation has not got: it is said, not
ignored."""

from __future__ import annotations

from pawl.core import gates
from pawl.core.deployment_work import Work
from pawl.core.reasons import Reason


def refused(work: Work) -> tuple[Reason, str] | None:
    """(reason, sentence) of the first such thing."""
    spec = work.deployment.spec
    scaling, drift = spec.autoscaling, spec.drift
    if not work.children.installation.prometheus:
        text = "but the operator has no PAWL_PROMETHEUS"
        if spec.rollout is not None and any(
            d.query is not None for d in gates.definitions(spec.rollout)
        ):
            return "NoPrometheus", f"a gate queries Prometheus, {text}"
        if drift is not None and drift.source == "Prometheus":
            return "NoPrometheus", f"drift.source is Prometheus, {text}"
    if scaling is not None and scaling.target_requests_per_second is not None:
        text = "autoscaling.targetRequestsPerSecond needs a custom-metrics API, and the cluster has"
        if not work.observed.custom_metrics:
            return "NoCustomMetrics", f"{text} none; set targetCPUPercent instead"
    return None
