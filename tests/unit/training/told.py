"""What the stages of a run are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pawl.artifacts.runs import RunConfig


def run_config(store: Path, **changes: Any) -> RunConfig:
    """Of run 1 of the job j, with its store in a folder."""
    told: dict[str, Any] = {
        "name": "j",
        "namespace": "n",
        "uid": "u",
        "run": 1,
        "started_at": "2026-11-21T12:00:00Z",
        "model": "m",
        "spec": {},
        "recipe_digest": "",
        "store": store.as_uri(),
        "image": "i",
    }
    return RunConfig(**told | changes)
