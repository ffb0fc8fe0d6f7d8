"""One measurement into the state of a rollout, and the guard beside the statistics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pawl import constants as c
from pawl.api.names import version_number
from pawl.api.rollout import RolloutSpec
from pawl.api.rollout_status import RolloutGate, RolloutStatus
from pawl.core import run_status
from pawl.core.gates import rules
from pawl.core.gates.definition import PROMETHEUS, TRAFFIC_SPLIT, Definition, definitions
from pawl.core.gates.rules import Alphas, Rule
from pawl.core.gates.sample import Sample, take
from pawl.core.measurement import Measurement
from pawl.core.routing.state import RouterState

Object = Mapping[str, Any]
#: Requests in a row that must have failed before a candidate counts as broken.
HOPELESS = 10
_RESTARTS = 2

_RULES: dict[str, Rule] = {
    "error_rate": rules.error_rate,
    "accuracy": rules.accuracy,
    "latency_p50_ratio": rules.slower(0.50, "latency"),
    "latency_p95_ratio": rules.slower(0.95, "latency"),
    "latency_p99_ratio": rules.slower(0.99, "latency"),
    "absolute_error_p90_ratio": rules.slower(0.90, "absolute_error"),
    "prediction_psi": rules.prediction_psi,
    "disagreement": rules.disagreement,
    "score_difference_p95": rules.over(0.05, "absolute"),
    "relative_difference_p95": rules.over(0.05, "relative"),
    "calibration_shift": rules.calibration_shift,
    TRAFFIC_SPLIT: rules.traffic_split,
    PROMETHEUS: rules.prometheus,
}


def fold(
    state: RolloutStatus,
    spec: RolloutSpec,
    measured: Measurement | None,
    routers: tuple[RouterState, ...],
) -> RolloutStatus:
    """The state with the gates of `spec`, and with the measurement if there is one."""
    defined = definitions(spec)
    gates = tuple(definition.among(state.gates) for definition in defined)
    if measured is None:
        return state.model_copy(update={"gates": gates})
    sample, readings = take(state, measured, routers, version_number(state.candidate))
    stage = "shadow" if state.phase == "Shadow" else "canary"
    alphas = _alphas(spec, defined)
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
        }
    )


def broken(state: RolloutStatus, pods: Iterable[Object]) -> str:
    """Why a candidate is beyond statistics: it answers nothing but errors, or its pods crash again
    and again and none is left. `pods` are the candidate's. Empty when it is not."""
    if state.failing >= HOPELESS:
        return f"the last {state.failing} requests all failed"
    pods = list(pods)
    crashing = [pod for pod in pods if _restarts(pod) >= _RESTARTS and not _ready(pod)]
    if crashing and not any(_ready(pod) for pod in pods):
        words = run_status.last_words(crashing)
        return f"its pods crash again and again: {words}" if words else "its pods crash"
    return ""


def _judged(gate: RolloutGate, d: Definition, sample: Sample, alphas: Alphas) -> RolloutGate:
    judged = _RULES[d.metric](gate, d, sample, alphas)
    if judged.verdict == "Inconclusive" and judged.candidate and not judged.candidate.samples:
        return judged.model_copy(update={"message": judged.message or "no traffic yet"})
    return judged


def _alphas(spec: RolloutSpec, defined: tuple[Definition, ...]) -> Alphas:
    """The confidence holds for the rollout: all gates together fail a version that is as good with
    at most 1 - confidence; one that is worse in some respect must pass that gate."""
    alpha = 1 - spec.decision.confidence
    count = sum(definition.statistical for definition in defined)
    return Alphas(alpha / max(1, count), alpha)


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


def _restarts(pod: Object) -> int:
    return sum(s.get("restartCount", 0) for s in run_status.container_statuses(pod))


def of_version(pods: Iterable[Object], version: int) -> list[Object]:
    """The server pods of a version."""
    return [pod for pod in pods if pod["metadata"]["labels"].get(c.LABEL_VERSION) == str(version)]
