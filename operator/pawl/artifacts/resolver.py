"""A resolver for aiohttp that looks at every address of a name before it is connected to, so a name
that stands for something else the second time is refused too. Apart from `addresses`, since aiohttp
takes a while to import."""

from __future__ import annotations

import socket
from collections.abc import Callable

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver


class CheckedResolver(AbstractResolver):
    """Resolves names; `check(host, address)` raises for one that must not be asked."""

    def __init__(self, check: Callable[[str, str], None]) -> None:
        self._inner = ThreadedResolver()
        self._check = check

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """As `ThreadedResolver`, or what the check raises."""
        found = await self._inner.resolve(host, port, family)
        for result in found:
            self._check(host, result["host"])
        return found

    async def close(self) -> None:
        """There is nothing to end."""
