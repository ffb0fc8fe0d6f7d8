"""Which module decides which gate."""

from __future__ import annotations

from pawl.api.evaluation import Gate
from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.records import Proxy
from pawl.artifacts.runs import GateResult
from pawl.errors import PawlError
from pawl.stats.metrics import Answers
from pawl.training import gate_artifact, gate_fairness, gate_slices, gates
from pawl.training.artifact import Served
from pawl.training.features import Matrix
from pawl.training.gates import Rival
from pawl.training.parts import HeldOut
from pawl.training.workspace import Workspace


def on_rows(gate: Gate, rows: HeldOut, said: Answers, seed: int) -> GateResult:
    """Decides a gate on the answers that were `said`."""
    if gate.slice is not None:
        return gate_slices.bound(gate, gate.slice, rows.table, rows.truth, said, seed)
    if gate.fairness is not None:
        return gate_fairness.decide(gate, rows.table, rows.truth, said)
    if gate.calibration is not None:
        return gate_artifact.calibrated(gate, rows.truth, said, seed)
    return gates.bound(gate, rows.truth, said, seed)


def of_artifact(
    spec: TrainingJobSpec, served: Served, work: Workspace, rows: Matrix
) -> list[GateResult]:
    """Decides the gates on size and latency."""
    found = []
    for gate in spec.evaluation.gates:
        if gate.size_bytes is not None:
            found.append(gate_artifact.size(gate, served, work))
        elif gate.latency_millis is not None:
            found.append(gate_artifact.latency(gate, served, rows))
    return found


def of_proxies(spec: TrainingJobSpec, found: tuple[Proxy, ...]) -> list[GateResult]:
    """Decides the gates on how well the features predict a sensitive column."""
    by_column = {proxy.column: proxy for proxy in found}
    return [
        gate_artifact.proxy(gate, by_column.get(gate.proxy.column))
        for gate in spec.evaluation.gates
        if gate.proxy is not None
    ]


def champion(spec: TrainingJobSpec, name: str, rival: Rival | PawlError) -> list[GateResult]:
    """Decides every champion gate, on one scoring of the champion."""
    wanted = [(gate, gate.champion) for gate in spec.evaluation.gates if gate.champion is not None]
    if isinstance(rival, PawlError):
        return [gates.not_comparable(gate, limits, rival) for gate, limits in wanted]
    return [
        gate_slices.champion(gate, gate.slice, rival, limits.not_worse_by, spec.seed)
        if gate.slice is not None
        else gates.champion(gate, limits, rival, name, spec.seed)
        for gate, limits in wanted
    ]
