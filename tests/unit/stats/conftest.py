"""The simulation of rollouts, which lives with the benchmarks."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def twin() -> Any:
    sys.path.append(str(ROOT))
    try:
        return importlib.import_module("benchmarks.rollouts.twin")
    finally:
        sys.path.remove(str(ROOT))
