"""Probes over time: when to look, and when to believe it (pkg/kubelet/prober/worker.go).

A kubelet looks first right after `initialDelaySeconds` and then every `periodSeconds`. Somebody
at a laptop waits for readiness, so here startup and readiness probes that have not succeeded yet
are also tried in between, every 0.1 s growing to 1 s. These extra tries count only when they
succeed: thresholds, events and liveness keep the kubelet's schedule.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pawl.local.node.checks import Outcome, Target, check

Obj = dict[str, Any]

_AGENT = "kube-probe/1.36"
_FIRST_TRY = 0.1
_LAST_TRY = 1.0


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
) -> AsyncIterator[bool]:
    """True or False each time a threshold is reached. `failed` is told of each failed look.

    `eager`: try in between until the first success.
    """
    schedule = Schedule.of(probe)
    look = partial(check, probe, target, schedule.limit, agent=_AGENT)
    await asyncio.sleep(schedule.initial_delay)
    eager = eager and schedule.successes == 1 and "exec" not in probe
    streak, last = 0, None
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        outcome: Outcome = await look()
        streak = streak + 1 if outcome.success == last else 1
        last = outcome.success
        if not outcome.success:
            failed(outcome.output)
        if streak >= (schedule.successes if outcome.success else schedule.failures):
            eager = eager and not outcome.success
            yield outcome.success
        due = max(due + schedule.period, loop.time())
        if eager and not outcome.success and await _tried(look, due):
            eager, streak, last = False, 1, True
            due = loop.time() + schedule.period
            yield True
        await asyncio.sleep(max(due - loop.time(), 0))


async def _tried(look: Callable[[], Awaitable[Outcome]], until: float) -> bool:
    """Try until `until` (loop time); True as soon as one look succeeds."""
    loop = asyncio.get_running_loop()
    pause = _FIRST_TRY
    while loop.time() + pause < until:
        await asyncio.sleep(pause)
        if (await look()).success:
            return True
        pause = min(pause * 1.3, _LAST_TRY)
    return False
