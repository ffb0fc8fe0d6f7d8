"""How many observations each kind of gate needs, of whom, under what is supposed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pawl.core.gates.definition import Definition
from pawl.core.planning._records import Step, Supposed
from pawl.stats.sequential import forecast

#: Standard deviation of the logarithm of durations (or errors): the p95 is 2.3 times the median.
SPREAD = 0.5
#: Standard deviation of the differences of two good versions' scores.
SCATTER = 0.05


@dataclass(frozen=True)
class Kind:
    """`needed` observations at a weight, of a version that is good, or worse by the limit; `rate`
    of observations in a second; what is `supposed`, in words."""

    needed: Callable[[Definition, Supposed, tuple[float, float], float, bool], float]
    rate: Callable[[Step, Supposed], float]
    supposed: Callable[[Definition, Supposed], str]


def _requests(step: Step, _: Supposed) -> float:
    return step.requests


def _pairs(step: Step, _: Supposed) -> float:
    return step.pairs


def _truths(step: Step, s: Supposed) -> float:
    return step.requests * s.feedback


def _share(base: Callable[[Supposed], float]) -> Callable[..., float]:
    def needed(
        d: Definition, s: Supposed, alphas: tuple[float, float], weight: float, worse: bool
    ) -> float:
        return forecast.of_share(base(s), d.limit if worse else 0.0, d.limit, alphas, weight)

    return needed


def _quantile(quantile: float) -> Callable[..., float]:
    def needed(
        d: Definition, _: Supposed, alphas: tuple[float, float], weight: float, worse: bool
    ) -> float:
        good = _as_slow(d)
        slower = d.limit**2 / good if worse else good
        return forecast.of_quantile(quantile, d.limit, slower, SPREAD, alphas, weight)

    return needed


def _as_slow(d: Definition) -> float:
    """How slow a good version is: as the stable one, or less where that is asked for."""
    return 1.0 if d.limit > 1 else 0.8 * d.limit


def _mean(
    good: Callable[[Definition, Supposed], float], limit: Callable[[Definition], float]
) -> Callable[..., float]:
    def needed(
        d: Definition, s: Supposed, alphas: tuple[float, float], _: float, worse: bool
    ) -> float:
        edge, mean = limit(d), good(d, s)
        return forecast.of_mean(min(2 * edge - mean, 0.95) if worse else mean, edge, alphas)

    return needed


def _index(
    d: Definition, _: Supposed, alphas: tuple[float, float], weight: float, __: bool
) -> float:
    return forecast.of_index(d.limit, alphas, weight)


def _shift(
    d: Definition, _: Supposed, alphas: tuple[float, float], __: float, worse: bool
) -> float:
    return forecast.of_shift(min(2 * d.limit, 0.9) if worse else 0.0, SCATTER, d.limit, alphas)


def _slow_words(d: Definition, _: Supposed) -> str:
    good = _as_slow(d)
    return "as fast as the stable version" if good == 1 else f"{good:g} times as slow"


def _agreeing(d: Definition, s: Supposed) -> float:
    return min(s.disagreement, d.limit / 2) if d.words.startswith("max") else s.disagreement


_LATENCY = [("p50", 0.50), ("p95", 0.95), ("p99", 0.99)]
KINDS: dict[str, Kind] = {
    "error_rate": Kind(
        _share(lambda s: s.error_rate), _requests, lambda _, s: f"{s.error_rate:.2%} errors"
    ),
    "accuracy": Kind(
        _share(lambda s: s.wrong),
        _truths,
        lambda _, s: f"{1 - s.wrong:.0%} right, truth for {s.feedback:.0%}",
    ),
    "absolute_error_p90_ratio": Kind(
        _quantile(0.9), _truths, lambda _, s: f"errors alike, truth for {s.feedback:.0%}"
    ),
    "prediction_psi": Kind(_index, _requests, lambda *_: "answers distributed alike"),
    "disagreement": Kind(
        _mean(_agreeing, lambda d: d.limit),
        _pairs,
        lambda d, s: f"{_agreeing(d, s):.1%} disagree",
    ),
    "score_difference_p95": Kind(
        _mean(lambda *_: 0.02, lambda _: 0.05), _pairs, lambda *_: "2 % beyond"
    ),
    "relative_difference_p95": Kind(
        _mean(lambda *_: 0.02, lambda _: 0.05), _pairs, lambda *_: "2 % beyond"
    ),
    "calibration_shift": Kind(_shift, _pairs, lambda *_: f"no shift, scores differ by {SCATTER:g}"),
} | {
    f"latency_{name}_ratio": Kind(_quantile(quantile), _requests, _slow_words)
    for name, quantile in _LATENCY
}
