"""Population stability index of both arms' answers, PSI(f, g) = Σ (g_b − f_b)·ln(g_b / f_b).

Fail: H0 PSI ≤ max, Pass: H0 PSI ≥ max. f and g are averages over the intervals with weight nₛ·n_c/n
in both arms, so a mix of answers that moves with the hour is the same in both (no Simpson). A bin's
weighted count S with compensator μ = weight·f has the supermartingale θ^S·exp(−μ(θ − 1)) for each
θ > 0; mixed over θ ~ Gamma(a, a) its logarithm is

    φ(S, μ) = μ + a·ln a − lnΓ(a) + lnΓ(S + a) − (S + a)·ln(μ + a).

Products over bins and arms are supermartingales too, so the log e-value against a set of (f, g) is
the smallest Σφ in it: all bins together, which needs a quarter of the samples that intervals with a
Bonferroni correction over bins do. `frontier` bounds that minimum from below.

Bins are learnt from the first LEARN answers and fixed then (`groups`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pawl.stats.sequential.evidence import judge, pack, unpack
from pawl.stats.sequential.frontier import Arms, evidence_above, evidence_below, index_of
from pawl.stats.sequential.groups import Groups, learn

__all__ = ["Psi", "judge", "load", "start", "still_needed", "update"]

LEARN = 200
STRENGTH = 100.0  # Σa = STRENGTH / max: about half the weight at which a good version passes
EVERY = 1.1  # evidence is looked at whenever the weight has grown by that factor
ENOUGH = 14.0  # log e-value beyond which nobody asks: α = 10⁻⁶
_NOTHING = -100.0  # log-wealth shown for "none at all"
_WHOLE = 170.0  # see still_needed
_TAG = "psi1"

Answers = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Psi:
    """`groups` are the bins, or what is known for them; `stable` and `candidate` are weighted
    counts; `judged` is the weight at which log_fail and log_pass were last worked out."""

    groups: Groups
    stable_n: int = 0
    candidate_n: int = 0
    weight: float = 0.0
    stable: tuple[float, ...] = ()
    candidate: tuple[float, ...] = ()
    judged: float = 0.0
    log_fail: float = 0.0
    log_pass: float = 0.0
    most_fail: float = 0.0
    most_pass: float = 0.0
    design_effect: float = 1.0

    def value(self) -> float:
        """The index of what was counted, less what chance adds to it on average, never below 0."""
        if not self.weight:
            return 0.0
        f, g = ([s / self.weight for s in sums] for sums in (self.stable, self.candidate))
        used = sum(1 for p, q in zip(f, g, strict=True) if p or q)
        chance = max(used - 1, 0) * self.design_effect / self.weight
        return max(index_of(f, g) - chance, 0.0)

    def dump(self) -> str:
        """One line, at most 600 characters."""
        groups, most = self.groups, (self.most_fail, self.most_pass, self.design_effect)
        learnt = [groups.fixed, groups.ordered, len(groups.keys), *groups.keys, *groups.counts]
        sums = [self.stable_n, self.candidate_n, self.weight, *self.stable, *self.candidate]
        return pack(_TAG, [*learnt, *sums, self.judged, self.log_fail, self.log_pass, *most])


def start() -> Psi:
    """The state of a gate that has seen nothing."""
    return Psi(Groups())


def load(text: str) -> Psi:
    """A dumped state. ValueError when it is not one."""
    n = unpack(text, _TAG)
    keys = round(n[2]) if len(n) > 2 else 0
    groups = keys + 1 if keys else 0
    at, bins = 3 + keys + groups, groups if n and n[0] else 0
    if keys < 0 or len(n) != at + 3 + 2 * bins + 6:
        raise ValueError(f"not a state of format {_TAG}: {text[:40]!r}")
    whole = [round(number) for number in n[: at + 2]]
    names, counts = tuple(whole[3 : 3 + keys]), tuple(whole[3 + keys : at])
    sums = n[at + 3 : -6]
    stable, candidate = tuple(sums[:bins]), tuple(sums[bins:])
    learnt = Groups(bool(n[0]), bool(n[1]), names, counts)
    return Psi(learnt, whole[at], whole[at + 1], n[at + 2], stable, candidate, *n[-6:])


def update(
    state: Psi,
    stable: Answers,
    candidate: Answers,
    *,
    maximum: float,
    design_effect: float = 1.0,
) -> Psi:
    """The state after the answers of one more interval, counted per bin or class.

    Answers that teach the bins are not counted. `maximum` is that of all earlier calls, else start
    anew; ValueError unless it is above 0.
    """
    if not maximum > 0:
        raise ValueError(f"a largest index lies above 0, not {maximum:g}")
    if not state.groups.fixed:
        groups = learn(learn(state.groups, stable, LEARN), candidate, LEARN)
        empty = (0.0,) * len(groups.counts) if groups.fixed else ()
        return replace(state, groups=groups, stable=empty, candidate=empty)
    counted = state.groups.count(stable), state.groups.count(candidate)
    stable_n, candidate_n = sum(counted[0]), sum(counted[1])
    if stable_n == 0 or candidate_n == 0:
        return state
    share = candidate_n / (stable_n + candidate_n)
    moved = replace(
        state,
        stable_n=state.stable_n + stable_n,
        candidate_n=state.candidate_n + candidate_n,
        weight=state.weight + stable_n * share,
        stable=_plus(state.stable, counted[0], share),
        candidate=_plus(state.candidate, counted[1], 1.0 - share),
        design_effect=max(design_effect, 1.0),
    )
    return _judged(moved, maximum) if moved.weight >= EVERY * state.judged else moved


def still_needed(
    state: Psi, *, maximum: float, alpha_fail: float, alpha_pass: float, weight: float
) -> int | None:
    """Further candidate requests until the nearer verdict, if the index stays as it looks; 0 with a
    verdict, None when it cannot be foreseen."""
    if judge(state, alpha_fail=alpha_fail, alpha_pass=alpha_pass) != "Inconclusive":
        return 0
    if not state.weight or not 0 < weight < 1:
        return None
    now, distance = state.value(), math.sqrt(maximum)
    gap = (math.sqrt(now) - distance) ** 2
    if gap < 1e-4 * maximum:
        return None
    whole = _WHOLE * state.design_effect / (gap * (1 - weight))
    return max(math.ceil(whole - state.weight / (1 - weight)), 1)


def _plus(sums: tuple[float, ...], counts: list[int], share: float) -> tuple[float, ...]:
    return tuple(s + share * count for s, count in zip(sums, counts, strict=True))


def _judged(state: Psi, maximum: float) -> Psi:
    effect = state.design_effect
    whole = STRENGTH / maximum
    arms = Arms(
        [s / effect for s in state.stable],
        [s / effect for s in state.candidate],
        state.weight / effect,
        [whole * share for share in state.groups.shares()],
    )
    fail = evidence_below(arms, maximum) if state.most_fail < ENOUGH else -math.inf
    passing = evidence_above(arms, maximum) if state.most_pass < ENOUGH else -math.inf
    return replace(
        state,
        judged=state.weight,
        log_fail=max(fail, _NOTHING),
        log_pass=max(passing, _NOTHING),
        most_fail=max(state.most_fail, fail),
        most_pass=max(state.most_pass, passing),
    )
