"""Captured files that are old are deleted, whole days at a time."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from pawl.artifacts.store import Store
from pawl.capture.names import date_of


def expire(store: Store, before: float) -> tuple[int, int]:
    """Deletes files whose whole day (UTC) was over before `before` (epoch seconds): how many, and
    how many are left. Only files that are named as captured ones are touched."""
    last = datetime.fromtimestamp(before, UTC).date()
    gone = left = 0
    for path in files(store):
        day = date_of(path)
        if day is not None and day < last:
            with suppress(FileNotFoundError):  # another pod of ours was quicker
                store.delete(path)
            gone += 1
        else:
            left += 1
    return gone, left


def files(store: Store, kind: str = ".") -> list[str]:
    """All captured files, or those of one kind, by name."""
    return [path for path in store.list(kind) if date_of(path) is not None]
