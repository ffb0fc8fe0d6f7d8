"""The one score that `kubectl get` shows of a run and of its version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from pawl.api.metrics import DEFAULT_METRICS

#: The first usual metric of every task, then the second of every task, …
_USUAL = tuple(chain.from_iterable(zip(*DEFAULT_METRICS.values(), strict=True)))


def score(metrics: Mapping[str, float], wanted: Iterable[str]) -> str | None:
    """`name=value` of the first that is there: of those `wanted`, of the usual ones, of any."""
    name = next((metric for metric in (*wanted, *_USUAL, *metrics) if metric in metrics), None)
    return f"{name}={metrics[name]:.4g}" if name else None
