"""How many canary requests a fixed-sample test needs that knows both rates beforehand: a one-sided
two-proportion z-test, α = 0.01 and power 0.95, on the same allocation, stratified by interval.

With h = nₛ·n_c/n of an interval, it is large enough when
δ·Σh ≥ z_α·√Σ(h·p̄·q̄) + z_β·√Σ(h²·(pₛqₛ/nₛ + p_c·q_c/n_c)).

With sticky users it knows the design effects too: 1 + ρ·m under the null hypothesis, where m is the
requests per user so far and ρ their correlation; 1 + ρ·(p_c/pₛ)·m under the alternative, where the
candidate's users fail in proportion.
"""

from __future__ import annotations

import math

from scipy.stats import norm

from benchmarks.rollouts.world import REQUESTS, Sticky, World, intervals, weight_at

ALPHA, POWER = 0.01, 0.95
_PARTS = 20  # of an interval


def canary_requests(world: World) -> float:
    """Of one-stage test; its analysis waits until they are there."""
    z_alpha, z_beta = norm.isf(ALPHA), norm.ppf(POWER)
    length = intervals(world.schedule)
    whole = null = alternative = sent = 0.0
    for number in range(length):
        weight = weight_at(world.schedule, number)
        ps = world.base(number / length)
        pc = ps + world.effect
        nc = REQUESTS * weight / _PARTS
        ns = REQUESTS * (1 - weight) / _PARTS
        pooled = (ns * ps + nc * pc) / (ns + nc)
        h = ns * nc / (ns + nc)
        for _ in range(_PARTS):
            sent += nc
            whole += h
            null += h * pooled * (1 - pooled)
            alternative += h * h * (ps * (1 - ps) / ns + pc * (1 - pc) / nc)
            alike = (
                Sticky.CORRELATION * (number + 1) * REQUESTS / Sticky.USERS if world.sticky else 0
            )
            needed = z_alpha * math.sqrt(null * (1 + alike))
            needed += z_beta * math.sqrt(alternative * (1 + alike * pc / ps))
            if world.effect * whole >= needed:
                return sent
    return math.inf
