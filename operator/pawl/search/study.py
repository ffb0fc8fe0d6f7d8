"""One search as an optuna study that any process can rebuild.

A study depends on its seed and on the order of ask and tell. Here the order follows from the
trials alone: before trial n is asked for, the trials m < n that were not under way then (not in
`beside`) are told in the order of their numbers. So replaying the recorded trials gives the study
that asked for them, to the last digit of the sampler's randomness, and with one trial at a time it
is `study.optimize` of optuna itself.

Where a replayed proposal differs from the record (another release of optuna, a change of the
search in place), the record stands: the proposal is dropped and the recorded parameters are asked
for instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import optuna
from optuna.trial import TrialState

from pawl.api.search import Search
from pawl.search.protocol import Known, Proposal, Reply, Request
from pawl.search.samplers import distributions, make_pruner, make_sampler

_STATES = {"Pruned": TrialState.PRUNED, "Failed": TrialState.FAIL}


class Study:
    """A search; trials are known by their numbers from 0."""

    def __init__(self, search: Search, seed: int) -> None:
        self._space = distributions(search)
        self._replays = search.algorithm != "gp"  # a fit of the process for every ask
        self._study = optuna.create_study(
            study_name="pawl",  # hyperband assigns trials to its brackets by it
            sampler=make_sampler(search, seed),
            pruner=make_pruner(search),
            directions=[objective.direction for objective in search.objectives],
        )
        self._known: dict[int, Known] = {}
        self._asked: dict[int, optuna.Trial] = {}
        self._reported: dict[int, int] = {}
        self._told: set[int] = set()
        self._prune: set[int] = set()

    def answer(self, request: Request) -> Reply:
        """Takes note of the trials, then proposes."""
        fresh = [trial for trial in request.trials if trial.number not in self._asked]
        self._known |= {trial.number: trial for trial in request.trials}
        for trial in sorted(fresh, key=lambda trial: trial.number):
            self._tell(n for n in range(trial.number) if n not in trial.beside)
            self._follow(trial)
        for trial in request.trials:
            self._report(trial)
        return Reply(
            proposals=tuple(self._next() for _ in range(request.ask)),
            prune=tuple(sorted(self._prune - self._over())),
        )

    def _over(self) -> set[int]:
        return {number for number, trial in self._known.items() if trial.outcome is not None}

    def _next(self) -> Proposal:
        over = self._over()
        self._tell(sorted(over))
        number = max(self._asked, default=-1) + 1
        beside = tuple(sorted(set(self._asked) - over))
        trial = self._study.ask(self._space)
        self._asked[number] = trial
        proposal = Proposal(number=number, parameters=dict(trial.params), beside=beside)
        self._known[number] = Known(**proposal.model_dump())
        return proposal

    def _follow(self, known: Known) -> None:
        """Asks for what was asked for once."""
        if not self._replays and known.parameters:
            trial = self._given(known)
        else:
            trial = self._study.ask(self._space)
            if known.parameters and not _same(trial.params, known.parameters):
                self._study.tell(trial, state=TrialState.FAIL)
                trial = self._given(known)
        self._asked[known.number] = trial

    def _given(self, known: Known) -> optuna.Trial:
        self._study.enqueue_trial(known.parameters)
        return self._study.ask(self._space)

    def _report(self, known: Known) -> None:
        trial = self._asked[known.number]
        if known.number in self._told or len(self._study.directions) > 1:
            return
        for step, value in known.reports[self._reported.get(known.number, 0) :]:
            trial.report(value, step)
            if trial.should_prune():
                self._prune.add(known.number)
        self._reported[known.number] = len(known.reports)

    def _tell(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            known = self._known.get(number)
            if known is None or known.outcome is None or number in self._told:
                continue
            self._report(known)
            state, values = _STATES.get(known.outcome), None
            if state is None:
                sound = len(known.values) == len(self._study.directions) and all(
                    math.isfinite(value) for value in known.values
                )
                state, values = (
                    (TrialState.COMPLETE, list(known.values)) if sound else (TrialState.FAIL, None)
                )
            self._study.tell(self._asked[number], values, state)
            self._told.add(number)


def _same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Also 1 and true, and 1 and 1.0, are two things to a trainer; JSON keeps them apart."""
    return a.keys() == b.keys() and all(
        a[name] == b[name] and isinstance(a[name], bool) == isinstance(b[name], bool) for name in a
    )
