"""One measurement into the state of a rollout, and the guard beside the statistics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from pawl import constants as c
from pawl.api.names import version_number
from pawl.api.rollout import RolloutSpec
from pawl.api.rollout_status import RolloutGate, RolloutStatus
from pawl.core import run_status
from pawl.core.conditions import parse_timestamp
from pawl.core.gates import arms, pairs, query, truth
from pawl.core.gates.definition import PROMETHEUS, TRAFFIC_SPLIT, Definition, definitions
from pawl.core.gates.report import report
from pawl.core.gates.rule import Alphas, Rule, alphas_of
from pawl.core.gates.sample import Sample, take
from pawl.core.measurement import Measurement
from pawl.core.routing.route import Route
from pawl.core.routing.state import RouterState

Object = Mapping[str, Any]
#: Requests in a row that must have failed before a candidate counts as broken.
HOPELESS = 10
#: How probable such a row may be by chance.
_BY_CHANCE = 1e-9
_RESTARTS = 2
#: Seconds within which a container that crashes ends; the kubelet forgets its restarts after that.
_SOON = 600

_RULES: dict[str, Rule] = {
    "error_rate": arms.error_rate,
    "accuracy": truth.accuracy,
    "latency_p50_ratio": arms.slower(0.50),
    "latency_p95_ratio": arms.slower(0.95),
    "latency_p99_ratio": arms.slower(0.99),
    "absolute_error_p90_ratio": arms.larger_errors(0.90),
    "prediction_psi": arms.prediction_psi,
    "disagreement": pairs.disagreement,
    "score_difference_p95": pairs.over(0.05, "absolute"),
    "relative_difference_p95": pairs.over(0.05, "relative"),
    "calibration_shift": pairs.calibration_shift,
    TRAFFIC_SPLIT: arms.traffic_split,
    PROMETHEUS: query.prometheus,
}


def fold(
    state: RolloutStatus,
    spec: RolloutSpec,
    measured: Measurement | None,
    routers: tuple[RouterState, ...] | None,
    route: Route | None = None,
    offline: float | None = None,
) -> RolloutStatus:
    """The state with the gates of `spec`, and with the measurement if there is one. `routers` None:
    the servers count themselves. `route` is the published one, by which it is known whether the
    traffic was shared out as it should be; `offline` how often the two versions disagreed on rows
    of the past, if that was recorded."""
    defined = definitions(spec, offline)
    gates = tuple(definition.among(state.gates) for definition in defined)
    if measured is None:
        return state.model_copy(update={"gates": gates})
    sample, readings = take(state, measured, routers, version_number(state.candidate), route)
    stage = "shadow" if state.phase == "Shadow" else "canary"
    alphas = alphas_of(spec, defined)
    compared = state.phase in ("Shadow", "Canary", "Holdback")
    pairs = list(zip(defined, gates, strict=True))
    seen = _seen(sample) if state.step_started_at else 0
    return state.model_copy(
        update={
            "gates": tuple(
                _judged(gate, definition, sample, alphas)
                if compared and definition.stage == stage
                else gate
                for definition, gate in pairs
            ),
            "routers": readings,
            "measured_to": measured.end,
            "step_samples": state.step_samples + seen,
            "failing": _failing(state.failing, sample),
            "shadow": report(state.shadow, measured.comparison),
        }
    )


def broken(state: RolloutStatus, pods: Iterable[Object]) -> str:
    """Why a candidate is beyond statistics: it answers nothing but errors, or its pods crash again
    and again and none is left. `pods` are the candidate's. Empty when it is not."""
    if state.failing >= _hopeless(state):
        return f"the last {state.failing} requests all failed"
    pods = list(pods)
    crashing = [pod for pod in pods if _crashes(pod) and not _ready(pod)]
    if crashing and not any(_ready(pod) for pod in pods):
        words = run_status.last_words(crashing)
        return f"its pods crash again and again: {words}" if words else "its pods crash"
    return ""


def _hopeless(state: RolloutStatus) -> int:
    """So many failures in a row that the stable version's share of failures does not explain it."""
    name = str(state.reference)
    requests = sum(reading.requests.get(name, 0) for reading in state.routers)
    errors = sum(reading.errors.get(name, 0) for reading in state.routers)
    usual = min((errors + 1) / (requests + 100), 0.9)
    return max(HOPELESS, math.ceil(math.log(_BY_CHANCE) / math.log(usual)))


def _judged(gate: RolloutGate, d: Definition, sample: Sample, alphas: Alphas) -> RolloutGate:
    """A gate that cannot be judged must not keep the others from it."""
    if d.flaw:
        return gate.model_copy(update={"verdict": "Error", "message": d.flaw})
    try:
        judged = _RULES[d.metric](gate, d, sample, alphas)
    except ValueError as error:
        return gate.model_copy(update={"verdict": "Error", "message": str(error)[:256]})
    if judged.verdict == "Inconclusive" and not judged.message:
        seen = judged.candidate is not None and judged.candidate.samples
        text = "no traffic of both versions at the same time yet" if seen else "no traffic yet"
        return judged.model_copy(update={"message": text})
    return judged


def _seen(sample: Sample) -> int:
    """What counts as a sample of the step: pairs of answers, or requests of the candidate."""
    if sample.shadow:
        comparison = sample.measured.comparison
        return comparison.pairs if comparison is not None else 0
    return sample.requests.candidate_n


def _failing(before: int, sample: Sample) -> int:
    """Requests in a row that the candidate failed, while the other version did not."""
    stable_n, stable_k, n, k = sample.requests
    if n == 0:
        return before
    if k < n or (stable_n and 2 * stable_k > stable_n):
        return 0
    return before + k


def _ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(x["type"] == "Ready" and x["status"] == "True" for x in conditions)


def _crashes(pod: Object) -> bool:
    """A container of it ended soon after its start, again and again."""
    return any(
        status.get("restartCount", 0) >= _RESTARTS
        and _lasted(status.get("lastState", {}).get("terminated") or {}) < _SOON
        for status in run_status.container_statuses(pod)
    )


def _lasted(ended: Object) -> float:
    """Seconds from start to end, 0 when they are not told."""
    if not ended.get("startedAt") or not ended.get("finishedAt"):
        return 0.0
    begin, end = (parse_timestamp(ended[name]) for name in ("startedAt", "finishedAt"))
    return (end - begin).total_seconds()


def of_version(pods: Iterable[Object], version: int) -> list[Object]:
    """The server pods of a version."""
    return [pod for pod in pods if pod["metadata"]["labels"].get(c.LABEL_VERSION) == str(version)]
