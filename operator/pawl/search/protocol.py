"""What the operator and the process of a search say to each other: one JSON object a line.

The first line is a `Begin`; every later one is a `Request`, answered by one `Reply`. A request
carries the trials that are new or have changed since the last one: those under way (`outcome`
None) and those that are over.
"""

from __future__ import annotations

from typing import Any

from pawl.api.search import Search
from pawl.artifacts.records import Record
from pawl.artifacts.reports import Reports
from pawl.artifacts.trials import Outcome

#: Bytes of a line.
MOST_BYTES = 16 << 20


class Begin(Record):
    """Which search it is."""

    search: Search
    seed: int


class Known(Record):
    """A trial that was asked for; without parameters it is lost, and has failed. `beside` are the
    trials that were under way then: what was told before it was asked for is all the others with
    smaller numbers."""

    number: int
    parameters: dict[str, Any]
    beside: tuple[int, ...] = ()
    outcome: Outcome | None = None
    values: tuple[float, ...] = ()  # in the order of the objectives
    reports: Reports = ()


class Proposal(Record):
    """Parameters for the trial `number`."""

    number: int
    parameters: dict[str, Any]
    beside: tuple[int, ...] = ()


class Request(Record):
    """Asks for the next `ask` trials, and which of those under way had better end."""

    trials: tuple[Known, ...] = ()
    ask: int = 0


class Reply(Record):
    """`error` is a sentence when the search cannot go on."""

    proposals: tuple[Proposal, ...] = ()
    prune: tuple[int, ...] = ()
    error: str = ""
