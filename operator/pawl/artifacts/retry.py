"""Trying again with back-off when a store does not answer."""

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


@dataclass(frozen=True, slots=True)
class Retry:
    """`attempts` tries; the pause before try i is `first_delay`·2^(i-1), ±20 %, `max_delay` at
    most."""

    attempts: int = 5
    first_delay: float = 0.4
    max_delay: float = 10.0
    sleep: Callable[[float], None] = time.sleep

    def call(self, what: str, action: Callable[[], T]) -> T:
        """The result of `action`; StoreError(`what`, the last error) when every try fails.

        FileNotFoundError, FileExistsError and Pawl's own errors are passed on at once.
        """
        for attempt in range(1, self.attempts + 1):
            try:
                return action()
            except _FINAL:
                raise
            except PermissionError as error:
                raise StoreError(f"{what}: access denied ({describe(error)})") from error
            except Exception as error:
                if attempt == self.attempts:
                    raise StoreError(
                        f"{what}: no answer after {self.attempts} tries ({describe(error)})"
                    ) from error
            pause = min(self.max_delay, self.first_delay * 2 ** (attempt - 1))
            self.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret
        raise StoreError(f"{what}: not tried")


def describe(error: BaseException, limit: int = 300) -> str:
    """An exception in one redacted line, with its kind when its text alone says little."""
    text = redact(" ".join(str(error).split()))
    name = type(error).__name__
    return (f"{name}: {text}" if text else name)[:limit]
