"""What all metrics of an autoscaler say together: the largest proposal decides.

CPU and metrics of pods are what this cluster measures; others are refused with the words of a
cluster without their metrics API. Source: computeReplicasForMetrics in
pkg/controller/podautoscaler.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from pawl.local.controllers.hpa import metrics
from pawl.local.controllers.objects import Obj, spec
from pawl.local.controllers.resources import quantity


class Failure(NamedTuple):
    """Metrics failed so that nothing can be decided: the first one, and how many did."""

    reason: str
    message: str
    summary: str


@dataclass(frozen=True)
class Evaluation:
    """Replicas, the metric that asks for them, and what status.currentMetrics shows."""

    replicas: int
    label: str
    statuses: list[Obj]


Rates = Mapping[str, Mapping[str, float]]  # by metric, by pod: milli-units


def evaluate(hpa: Obj, sample: metrics.Sample, rates: Rates) -> Evaluation | Failure:
    """An error in one metric lets the others grow the target, never shrink it. `rates`: of each
    metric of pods that there is."""
    specs = spec(hpa).get("metrics") or [_DEFAULT_METRIC]
    tolerance = _tolerance(spec(hpa).get("behavior") or {})
    best, label, statuses, errors = 0, "", [], []
    for one in specs:
        try:
            if one["type"] == "Pods":
                proposal, described, shown = _evaluate_pods(one["pods"], sample, rates, tolerance)
            else:
                proposal, described, shown = _evaluate_one(one, sample, tolerance)
        except metrics.MetricError as error:
            errors.append((str(error), *_FAILURE[one["type"]]))
            continue
        statuses.append(shown)
        if proposal.replicas > best:
            best, label = proposal.replicas, described
    if errors and (len(errors) == len(specs) or best < sample.replicas):
        text, reason, what = errors[0]
        invalid = f"invalid metrics ({len(errors)} invalid out of {len(specs)})"
        summary = f"{invalid}, first error is: failed to get {what}: {text}"
        return Failure(reason, text, summary)
    return Evaluation(best, label, statuses)


_DEFAULT_METRIC = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}
_FAILURE = {  # by metric type: reason of the condition, and what could not be had
    "Resource": ("FailedGetResourceMetric", "cpu resource metric value"),
    "ContainerResource": ("FailedGetContainerResourceMetric", "cpu container metric value"),
    "Pods": ("FailedGetPodsMetric", "pods metric value"),
    "Object": ("FailedGetObjectMetric", "object metric value"),
    "External": ("FailedGetExternalMetric", "external metric value"),
}


def _evaluate_one(
    one: Obj, sample: metrics.Sample, tolerance: metrics.Tolerance
) -> tuple[metrics.Proposal, str, Obj]:
    kind = one["type"]
    if kind not in {"Resource", "ContainerResource"}:
        api = "external" if kind == "External" else "custom"
        raise metrics.MetricError(
            f"unable to get metric {one[kind.lower()]['metric']['name']}: "
            f"no metrics returned from {api} metrics API"
        )
    field_name = kind[0].lower() + kind[1:]
    source, container = one[field_name], one[field_name].get("container", "")
    if source["name"] != "cpu":
        raise metrics.MetricError(
            f"unable to get metrics for resource {source['name']}: "
            "no metrics returned from resource metrics API"
        )
    if container and any(len(spec(pod)["containers"]) > 1 for pod in sample.pods):
        raise metrics.MetricError("usage is measured per pod: a pod here has several containers")
    average = source["target"].get("averageValue")
    shown: Obj = {"name": "cpu", "current": {}} | ({"container": container} if container else {})
    try:
        if average is not None:
            millis = int(quantity(average) * 1000)
            proposal = metrics.by_average(sample, millis, tolerance)
            label = "cpu resource"
        else:
            percent = source["target"]["averageUtilization"]
            proposal = metrics.by_utilization(sample, percent, tolerance, container)
            kind_label = "cpu container resource" if container else "cpu resource"
            label = f"{kind_label} utilization (percentage of request)"
            shown["current"]["averageUtilization"] = proposal.utilization
    except metrics.MetricError as error:
        what = "usage" if average is not None else "utilization"
        raise metrics.MetricError(f"failed to get cpu {what}: {error}") from error
    shown["current"]["averageValue"] = f"{proposal.average}m" if proposal.average else "0"
    return proposal, label, {"type": kind, field_name: shown}


def _evaluate_pods(
    source: Obj, sample: metrics.Sample, rates: Rates, tolerance: metrics.Tolerance
) -> tuple[metrics.Proposal, str, Obj]:
    called = source["metric"]["name"]
    failed = f"unable to get metric {called}:"
    if called not in rates:
        raise metrics.MetricError(
            f"{failed} unable to fetch metrics from custom metrics API: "
            f"the server could not find the metric {called} for pods"
        )
    if source["metric"].get("selector"):
        raise metrics.MetricError(f"{failed} it has no labels to select by")
    if not rates[called]:
        raise metrics.MetricError(f"{failed} no metrics returned from custom metrics API")
    wanted = int(quantity(source["target"]["averageValue"]) * 1000)
    of_pods = replace(sample, usage=rates[called])
    proposal = metrics.by_average(of_pods, wanted, tolerance, starting=False)
    current = {"averageValue": f"{proposal.average}m"}
    shown = {"metric": source["metric"], "current": current}
    return proposal, f"pods metric {called}", {"type": "Pods", "pods": shown}


def _tolerance(behavior: Obj) -> metrics.Tolerance:
    def of(direction: str) -> float:
        value = (behavior.get(direction) or {}).get("tolerance")
        return 0.1 if value is None else float(quantity(value))

    return metrics.Tolerance(down=of("scaleDown"), up=of("scaleUp"))
