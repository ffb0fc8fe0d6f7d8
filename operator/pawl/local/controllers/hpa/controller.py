"""The shell around the autoscaler planner: every autoscaler is looked at every 15 s."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from pawl.local.api import selectors
from pawl.local.api.http.custommetrics import PodMetric
from pawl.local.api.registry import Registry
from pawl.local.api.resources import ScalePaths
from pawl.local.controllers.changes import Shell
from pawl.local.controllers.hpa.behavior import Memory
from pawl.local.controllers.hpa.evaluate import Rates
from pawl.local.controllers.hpa.metrics import Metrics
from pawl.local.controllers.hpa.plan import RESOURCE, Observed, Target, plan_hpa
from pawl.local.controllers.objects import Key, Obj, dig, key_of, labels, matches, meta, name, spec

PERIOD = 15.0  # seconds, --horizontal-pod-autoscaler-sync-period


class HpaController:
    name = "hpa"

    def __init__(
        self,
        registry: Registry,
        metrics: Metrics | None,
        pod_metric: PodMetric | None = None,
        period: float = PERIOD,
    ) -> None:
        self._shell = Shell(registry, "horizontal-pod-autoscaler")
        self._metrics, self._pod_metric, self._period = metrics, pod_metric, period
        self._memory: dict[Key, Memory] = {}
        self._seen: dict[Key, tuple[int, datetime]] = {}

    @property
    def watches(self) -> Mapping[str, Callable[[Obj], Iterable[Key]]]:
        return {RESOURCE: lambda hpa: [key_of(hpa)]}

    def reconcile(self, key: Key, now: datetime) -> float | None:
        hpa = self._shell.find(RESOURCE, key)
        if hpa is None:
            self._memory.pop(key, None)
            self._seen.pop(key, None)
            return None
        left = self._wait(key, hpa, now)
        if left > 0:
            return left
        target, missing = self._target(hpa)
        usage, rates = self._usage(target), self._rates(target)
        memory = self._memory.get(key, Memory())
        plan = plan_hpa(Observed(hpa, target, missing, usage, rates, memory), now)
        self._memory[key] = plan.memory
        self._shell.apply(plan.changes)
        return self._period

    def _wait(self, key: Key, hpa: Obj, now: datetime) -> float:
        """Only a new spec is looked at before the period is over: else status writes would."""
        generation = int(meta(hpa).get("generation") or 0)
        before = self._seen.get(key)
        if before is not None and before[0] == generation:
            left = self._period - (now - before[1]).total_seconds()
            if left > 0:
                return left
        self._seen[key] = (generation, now)
        return 0.0

    def _target(self, hpa: Obj) -> tuple[Target | None, str]:
        """The target with its pods, or why it cannot be scaled."""
        ref, where = spec(hpa)["scaleTargetRef"], meta(hpa)["namespace"]
        served = self._shell.registry.catalog.by_kind(ref["apiVersion"], ref["kind"])
        if served is None:
            group = ref["apiVersion"].rpartition("/")[0]
            kind = f"{ref['kind']}.{group}" if group else ref["kind"]
            return None, f'no matches for kind "{kind}" in group "{group}"'
        obj = self._shell.find(served.table, Key(where, ref["name"]))
        if obj is None:
            return None, f'{served.qualified} "{ref["name"]}" not found'
        if served.scale is None:
            return None, "the server could not find the requested resource"
        selects = _selector(obj, served.scale)
        pods = self._shell.registry.list("pods", where)
        mine = tuple(pod for pod in pods if selects(pod))
        return Target(served.table, obj, mine, served.scale.spec), ""

    def _usage(self, target: Target | None) -> dict[str, float]:
        if target is None or self._metrics is None:
            return {}
        where = meta(target.obj)["namespace"]
        samples = {name(p): self._metrics.cpu_millicores(where, name(p)) for p in target.pods}
        return {pod: used for pod, used in samples.items() if used is not None}

    def _rates(self, target: Target | None) -> Rates:
        metric = self._pod_metric
        if target is None or metric is None:
            return {}
        rates = metric.rates(target.pods)
        return {metric.name: {pod: rate * 1000 for pod, rate in rates.items()}}


def _selector(obj: Obj, scale: ScalePaths) -> Callable[[Obj], bool]:
    """Which pods the target counts as its own, by its LabelSelector or selector text."""
    if scale.selector is None:
        chosen = spec(obj).get("selector")
        return lambda pod: matches(chosen, labels(pod))
    text = dig(obj, scale.selector) if scale.selector else None
    if not text:
        return lambda pod: False
    requirements = selectors.parse(str(text))
    return lambda pod: selectors.matches(requirements, labels(pod))
