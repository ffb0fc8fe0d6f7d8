"""Puts this folder's helper modules on the path (tests are no packages)."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent))

from town import Town


@pytest_asyncio.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """A router without routes yet, and a DNS server; ends with the test."""
    made = Town(tmp_path)
    await made.open()
    try:
        yield made
    finally:
        await made.close()
