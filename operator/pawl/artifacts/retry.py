"""Trying again with back-off when a store does not answer, but not for ever."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pawl.artifacts.redact import redact
from pawl.errors import PawlError, StoreError

T = TypeVar("T")

#: Answers, not outages: they are the same the next time.
_FINAL = (FileNotFoundError, FileExistsError, PawlError)


#: After so many seconds one request over the network is given up: without a connection, and
#: without a byte of an answer.
CONNECT_SECONDS, READ_SECONDS = 3.0, 7.0


@dataclass(frozen=True, slots=True)
class Retry:
    """`attempts` tries; the pause before try i is `first_delay`·2^(i-1), ±20 %, `max_delay` at
    most. No try is begun when the other end has been silent for `patience` seconds.

    A try that lasted longer than one request may has had answers in between, as while a large file
    was copied; and "come back later" is an answer: both end the silence.
    """

    attempts: int = 5
    first_delay: float = 0.4
    max_delay: float = 10.0
    patience: float = 15.0 - READ_SECONDS
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def call(self, what: str, action: Callable[[], T]) -> T:
        """The result of `action`; StoreError(`what`, the last error) when every try fails.

        FileNotFoundError, FileExistsError and Pawl's own errors are passed on at once.
        """
        attempt, silent_since = 0, self.clock()
        while True:
            attempt, begun = attempt + 1, self.clock()
            try:
                return action()
            except _FINAL:
                raise
            except PermissionError as error:
                raise StoreError(f"{what}: access denied ({describe(error)})") from error
            except Exception as error:
                now = self.clock()
                if now - begun > CONNECT_SECONDS + READ_SECONDS or _answered(error):
                    silent_since = now
                pause = min(self.max_delay, self.first_delay * 2 ** (attempt - 1))
                pause *= random.uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret
                if attempt >= self.attempts or now + pause - silent_since > self.patience:
                    tries = "1 try" if attempt == 1 else f"{attempt} tries"
                    raise StoreError(
                        f"{what}: no answer after {tries} ({describe(error)})"
                    ) from error
            self.sleep(pause)


#: Of a training pod that has hours of work in hand when it publishes.
PATIENT = Retry(attempts=40, patience=120.0)


def _answered(error: BaseException | None) -> bool:
    """Whether the other end has said something: botocore's and aiohttp's errors of an answer."""
    while error is not None:
        if getattr(error, "response", None) or getattr(error, "status", None):
            return True
        error = error.__cause__
    return False


def describe(error: BaseException, limit: int = 300) -> str:
    """An exception in one redacted line, with its kind when its text alone says little."""
    text = redact(" ".join(str(error).split()))
    name = type(error).__name__
    return (f"{name}: {text}" if text else name)[:limit]
