"""How much each parameter decides about the first objective: PED-ANOVA, as optuna computes it
(Watanabe et al., IJCAI 2023), over the trials that succeeded."""

from __future__ import annotations

from collections.abc import Iterable

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState, create_trial

from pawl.api.search import Search
from pawl.artifacts.trials import Trial
from pawl.search.samplers import distributions

# else it tells of every study, on stderr
optuna.logging.set_verbosity(optuna.logging.WARNING)

#: With fewer trials it says nothing.
_LEAST = 5


def importances(search: Search, trials: Iterable[Trial]) -> dict[str, float]:
    """By parameter, with sum 1, the greatest first; empty when there are too few trials, or all of
    them scored the same."""
    first, space = search.objectives[0], distributions(search)
    study = optuna.create_study(direction=first.direction)
    done = [trial for trial in trials if trial.outcome == "Succeeded"]
    if len(done) < _LEAST or len({trial.values[first.metric] for trial in done}) < 2:
        return {}
    for trial in done:
        study.add_trial(
            create_trial(
                state=TrialState.COMPLETE,
                value=trial.values[first.metric],
                params=trial.parameters,
                distributions=space,
            )
        )
    return dict(get_param_importances(study, evaluator=PedAnovaImportanceEvaluator()))
