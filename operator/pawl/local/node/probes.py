"""Probes over time: when to look, and when to believe it (pkg/kubelet/prober/worker.go).

A kubelet looks every `periodSeconds`, for the first time up to one period after the container
has started and `initialDelaySeconds` have passed. Somebody at a laptop waits for readiness, so
here startup and readiness probes are also tried in between, at once and then every 0.05 s growing
to 1 s, until they first succeed. These extra tries count only when they succeed: thresholds,
events and liveness keep the kubelet's schedule.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pawl.local.node.checks import Outcome, Target, check

Obj = dict[str, Any]

_AGENT = "kube-probe/1.36"
_FIRST_TRY, _LAST_TRY = 0.05, 1.0
_GROWTH, _GROWTH_EXEC = 1.3, 2.0  # a command costs more than a connection


@dataclass(frozen=True)
class Schedule:
    """The numbers of a probe, with the API's defaults."""

    initial_delay: float
    period: float
    limit: float
    successes: int
    failures: int

    @classmethod
    def of(cls, probe: Obj) -> "Schedule":
        return cls(
            initial_delay=probe.get("initialDelaySeconds") or 0,
            period=probe.get("periodSeconds") or 10,
            limit=probe.get("timeoutSeconds") or 1,
            successes=probe.get("successThreshold") or 1,
            failures=probe.get("failureThreshold") or 3,
        )


async def verdicts(
    probe: Obj, target: Target, *, eager: bool, failed: Callable[[str], None]
) -> AsyncGenerator[bool, None]:
    """True or False each time a threshold is reached. `failed` is told of each failed look.

    `eager`: try in between until the first success.
    """
    schedule = Schedule.of(probe)
    look = partial(check, probe, target, schedule.limit, agent=_AGENT)
    await asyncio.sleep(schedule.initial_delay)
    eager = eager and schedule.successes == 1
    growth = _GROWTH_EXEC if "exec" in probe else _GROWTH
    streak, last = 0, None
    loop = asyncio.get_running_loop()
    due = loop.time() + schedule.period
    while True:
        if eager and await _tried(look, due, growth):
            eager, streak, last = False, 1, True
            due = loop.time() + schedule.period
            yield True
        await asyncio.sleep(max(due - loop.time(), 0))
        due = max(due + schedule.period, loop.time())
        outcome: Outcome = await look()
        streak = streak + 1 if outcome.success == last else 1
        last = outcome.success
        if not outcome.success:
            failed(outcome.output)
        if streak >= (schedule.successes if outcome.success else schedule.failures):
            eager = eager and not outcome.success
            yield outcome.success


async def _tried(look: Callable[[], Awaitable[Outcome]], until: float, growth: float) -> bool:
    """Try until `until` (loop time); True as soon as one look succeeds."""
    loop = asyncio.get_running_loop()
    pause = _FIRST_TRY
    while not (await look()).success:
        if loop.time() + pause >= until:
            return False
        await asyncio.sleep(pause)
        pause = min(pause * growth, _LAST_TRY)
    return True
