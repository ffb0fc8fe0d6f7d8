"""Tokens of a version, and a pod that takes feedback, with a clock that tests move."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from pawl.serving.codec.base import Predictions, Rows
from pawl.serving.feedback.ledger import Ledger, told
from pawl.serving.feedback.seen import Seen
from pawl.serving.feedback.taker import Taker
from pawl.serving.feedback.tokens import Opener, Sealer
from pawl.serving.monitor.memory import LABELS, VALUES, Memory
from pawl.serving.protocol import InferRequest

NOW = 1_790_000_000
KEY, OTHER_KEY = b"k" * 32, b"o" * 32
DAY = 86_400


@dataclass
class Job:
    """A scored request, and its reply too."""

    rows: Rows
    request: InferRequest
    headers: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def reply(self) -> Any:
        return _Reply(self)


@dataclass
class _Reply:
    request: Any


def token(
    *said: Any,
    keys: tuple[bytes, ...] = (KEY,),
    model: str = "churn",
    version: str = "7",
    classes: tuple[Any, ...] = ("no", "yes"),
    made: float = NOW,
    group: str | None = None,
    weight: str | None = None,
) -> str:
    """For one answer that says these labels or values."""
    kind = LABELS if classes else VALUES
    predictions = Predictions(None, list(said)) if classes else Predictions(list(said))
    headers = {} if weight is None else {b"x-pawl-weight": weight.encode()}
    job = Job(Rows({}, len(said)), InferRequest(None, [], None, group), headers)
    (sealed,) = Sealer(keys, model, version, kind, classes).seal([job], predictions, made)
    assert sealed is not None
    return sealed.decode()


class Pod:
    """Its processes share their memory."""

    def __init__(
        self,
        *,
        processes: int = 1,
        keys: tuple[bytes, ...] = (KEY,),
        version: str = "7",
        classes: tuple[Any, ...] = ("no", "yes"),
        max_age: float = 30 * DAY,
    ) -> None:
        self.now = NOW
        descriptor = os.memfd_create("test")
        self.memories = [Memory(processes, index, descriptor) for index in range(processes)]
        self.takers = [
            Taker(
                Opener(keys, "churn"),
                Ledger(memory, version),
                Seen(memory),
                classes=classes,
                max_age=max_age,
                second=lambda: self.now,
            )
            for memory in self.memories
        ]

    def take(self, *entries: tuple[str, Any], process: int = 0, **more: Any) -> dict[str, int]:
        """Tokens with their truths."""
        message = [{"token": token, "truth": truth, **more} for token, truth in entries]
        found: dict[str, int] = orjson.loads(
            self.takers[process].take(orjson.dumps({"feedback": message}))
        )
        return found

    def told(self, start: int = -60, stop: int = 60) -> dict[str, Any]:
        """By version, for seconds relative to NOW."""
        found: dict[str, Any] = told(self.memories[0].blocks, (NOW + start, NOW + stop), (0, 0))
        return found


@pytest.fixture(scope="session")
def token_of() -> Callable[..., str]:
    return token


@pytest.fixture(scope="session")
def pod_of() -> Callable[..., Pod]:
    return Pod


@pytest.fixture
def pod() -> Pod:
    return Pod()
