"""A search's space, sampler and pruner as optuna has them, with its defaults and our seed."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

from optuna import pruners, samplers
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning

from pawl.api.search import MOST_POINTS, Parameter, Search, grid_values, points
from pawl.errors import UserError


def distributions(search: Search) -> dict[str, BaseDistribution]:
    """By name, in the order in which they are asked for."""
    return {parameter.name: _distribution(parameter) for parameter in search.parameters}


def make_sampler(search: Search, seed: int) -> samplers.BaseSampler:
    """UserError when it cannot be had here."""
    match search.algorithm:
        case "grid":
            if points(search) > MOST_POINTS:
                raise UserError(f"the grid has more than {MOST_POINTS:,} points")
            return _Grid({p.name: grid_values(p) for p in search.parameters}, seed=seed)
        case "random":
            return samplers.RandomSampler(seed=seed)
        case "tpe":
            return samplers.TPESampler(seed=seed)
        case "cmaes":
            return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        case "nsga2":
            return samplers.NSGAIISampler(seed=seed)
        case "gp":
            if importlib.util.find_spec("torch") is None:
                raise UserError("algorithm gp needs PyTorch in the operator's image (extra gp)")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                return samplers.GPSampler(seed=seed)


def make_pruner(search: Search) -> pruners.BasePruner:
    """Of all intermediate values."""
    match search.pruner:
        case "median":
            return pruners.MedianPruner()
        case "hyperband":
            return pruners.HyperbandPruner()
        case _:
            return pruners.NopPruner()


class _Grid(samplers.GridSampler):
    """Without the end of the study, which is for whoever counts the trials."""

    def after_trial(self, *_: Any) -> None:
        """The study goes on."""


def _distribution(parameter: Parameter) -> BaseDistribution:
    low, high, step = parameter.min or 0.0, parameter.max or 0.0, parameter.step
    if parameter.type == "categorical":
        return CategoricalDistribution(parameter.choices())
    if parameter.type == "int":
        return IntDistribution(int(low), int(high), log=parameter.log, step=int(step or 1))
    return FloatDistribution(low, high, log=parameter.log, step=step)
