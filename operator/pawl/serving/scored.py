"""A scored request, as those see it who record, capture and seal what was answered."""

from __future__ import annotations

from typing import Protocol

from pawl.serving.codec.base import Rows
from pawl.serving.protocol import InferRequest


class Asked(Protocol):
    """An infer request as it came. `started` is of `perf_counter`."""

    started: float
    request_id: bytes | None
    headers: dict[bytes, bytes]
    body: bytes


class Answering(Protocol):
    """Where an answer goes."""

    @property
    def request(self) -> Asked:
        """What is answered."""


class Job(Protocol):
    """A request that was scored."""

    rows: Rows
    request: InferRequest

    @property
    def reply(self) -> Answering:
        """Where the answer goes."""
