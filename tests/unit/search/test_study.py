"""A study: optuna's own when trials go one by one, and the same again when it is rebuilt."""

from __future__ import annotations

import importlib.util
import random
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.api.search import Search
from pawl.errors import UserError
from pawl.search.protocol import Known, Proposal, Reply, Request
from pawl.search.samplers import distributions, make_pruner, make_sampler
from pawl.search.study import Study

optuna.logging.set_verbosity(optuna.logging.ERROR)
SPACE: list[dict[str, Any]] = [
    {"name": "rate", "type": "double", "min": 0.01, "max": 1, "log": True},
    {"name": "depth", "type": "int", "min": 1, "max": 9},
    {"name": "kind", "type": "categorical", "values": ["a", "null", "true", 3]},
]
GRID: list[dict[str, Any]] = [
    {"name": "depth", "type": "int", "min": 2, "max": 8, "step": 2},
    {"name": "share", "type": "double", "min": 0, "max": 1, "step": 0.25},
]


def search(algorithm: str, **changes: Any) -> Search:
    parameters = GRID if algorithm == "grid" else SPACE
    if algorithm == "cmaes":
        parameters = SPACE[:2]
    values = {"objectives": [{"metric": "log_loss"}], "parameters": parameters, **changes}
    return Search.model_validate({"algorithm": algorithm, **values})


def loss(parameters: dict[str, Any]) -> float:
    """Of anything; the same for the same parameters."""
    shift = {"a": 0.3, None: 0.1, True: 0.0, 3: 0.6}.get(parameters.get("kind"), 0.0)
    rate = parameters.get("rate", parameters.get("share", 0.2))
    return float((rate - 0.2) ** 2 + 0.01 * (parameters["depth"] - 4) ** 2 + shift)


def over(proposal: Proposal, **changes: Any) -> Known:
    values = {"outcome": "Succeeded", "values": (loss(proposal.parameters),), **changes}
    return Known(**proposal.model_dump() | values)


def sequential(study: Study, trials: int) -> list[Known]:
    done: list[Known] = []
    for _ in range(trials):
        reply = study.answer(Request(trials=tuple(done[-1:]), ask=1))
        done += [over(proposal) for proposal in reply.proposals]
    return done


@pytest.mark.parametrize("algorithm", ["random", "grid", "tpe", "cmaes", "nsga2"])
def test_one_by_one_it_is_plain_optuna(algorithm: str):
    spec = search(algorithm)
    plain = optuna.create_study(sampler=make_sampler(spec, 7), direction="minimize")
    space = distributions(spec)

    def objective(trial: optuna.Trial) -> float:
        return loss({name: trial._suggest(name, space[name]) for name in space})

    count = 20 if algorithm in ("grid", "cmaes") else 60
    plain.optimize(objective, n_trials=count)
    ours = sequential(Study(spec, 7), count)
    assert [trial.parameters for trial in ours] == [trial.params for trial in plain.trials]


def test_gaussian_processes_ask_for_what_is_not_there():
    """Plain optuna's too where PyTorch is; else a sentence."""
    spec = search("gp")
    if importlib.util.find_spec("torch") is None:
        with pytest.raises(UserError, match="needs PyTorch"):
            Study(spec, 7)
        pytest.skip("algorithm gp needs PyTorch, which is not here")
    study = optuna.create_study(sampler=make_sampler(spec, 7), direction="minimize")
    space = distributions(spec)
    study.optimize(
        lambda trial: loss({name: trial._suggest(name, space[name]) for name in space}), n_trials=14
    )
    ours = sequential(Study(spec, 7), 14)
    assert [trial.parameters for trial in ours] == [trial.params for trial in study.trials]


@pytest.mark.parametrize("algorithm", ["random", "grid", "tpe", "cmaes", "nsga2"])
@settings(max_examples=5, deadline=None)
@given(order=st.randoms(use_true_random=False), at=st.integers(0, 14))
def test_rebuilt_in_the_middle_it_proposes_what_it_would_have(
    algorithm: str, order: random.Random, at: int
):
    """Three trials at a time, ended in any order; a new process takes over at any time."""
    spec = search(algorithm)
    lasting, rebuilt = Study(spec, 3), Study(spec, 3)
    known: dict[int, Known] = {}
    changed: list[Known] = []
    for step in range(15):
        running = [n for n, trial in known.items() if trial.outcome is None]
        asked = lasting.answer(Request(trials=tuple(changed), ask=3 - len(running)))
        if step == at:
            again = rebuilt.answer(Request(trials=tuple(known.values()), ask=3 - len(running)))
            assert again.proposals == asked.proposals
        known |= {p.number: Known(**p.model_dump()) for p in asked.proposals}
        ended = order.choice([n for n, trial in known.items() if trial.outcome is None])
        failed = {"outcome": "Failed", "values": ()} if order.random() < 0.2 else {}
        proposal = Proposal(**known[ended].model_dump(include={"number", "parameters", "beside"}))
        known[ended] = over(proposal, **failed)
        changed = [known[ended]]


def test_a_grid_has_every_point_once():
    points = [tuple(t.parameters.values()) for t in sequential(Study(search("grid"), 1), 20)]
    assert len(set(points)) == 20


def test_a_record_that_the_sampler_would_not_propose_stands():
    spec = search("tpe")
    other = Known(number=0, parameters={"rate": 0.5, "depth": 9, "kind": 3}, outcome="Succeeded",
                  values=(0.9,))  # fmt: skip
    study = Study(spec, 0)
    (next_,) = study.answer(Request(trials=(other,), ask=1)).proposals
    assert next_.number == 1
    assert {"rate": 0.5, "depth": 9, "kind": 3} in [t.params for t in study._study.trials]


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_the_pruner_is_optunas(pruner: str):
    spec = search("random", pruner=pruner)
    plain = optuna.create_study(
        study_name="pawl",
        sampler=make_sampler(spec, 5),
        pruner=make_pruner(spec),
        direction="minimize",
    )
    space = distributions(spec)
    ours, told, pruned = Study(spec, 5), (), 0
    for _ in range(30):
        trial = plain.ask(space)
        (asked,) = ours.answer(Request(trials=told, ask=1)).proposals
        assert asked.parameters == trial.params
        reports: list[tuple[int, float]] = []
        for step in (1, 3, 9):
            reports.append((step, loss(trial.params) + 1 / step))
            trial.report(reports[-1][1], step)
            reply = report(ours, asked, reports)
            assert (reply.prune == (asked.number,)) == trial.should_prune()
            if reply.prune:
                break
        else:
            plain.tell(trial, reports[-1][1])
            told = (over(asked, reports=tuple(reports), values=(reports[-1][1],)),)
            continue
        pruned += 1
        plain.tell(trial, state=optuna.trial.TrialState.PRUNED)
        told = (over(asked, reports=tuple(reports), values=(), outcome="Pruned"),)
    assert pruned > 3


def report(study: Study, asked: Proposal, reports: list[tuple[int, float]]) -> Reply:
    trial = Known(**asked.model_dump(), reports=tuple(reports))
    return study.answer(Request(trials=(trial,)))


def test_several_objectives_are_told_in_order():
    spec = search("nsga2", objectives=[{"metric": "log_loss"}, {"metric": "roc_auc"}])
    study = Study(spec, 0)
    (asked,) = study.answer(Request(ask=1)).proposals
    study.answer(Request(trials=(over(asked, values=(0.4, 0.8)),), ask=1))
    assert study._study.trials[0].values == [0.4, 0.8]
    assert [d.name for d in study._study.directions] == ["MINIMIZE", "MAXIMIZE"]
