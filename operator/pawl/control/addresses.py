"""Which addresses users may let the operator connect to.

A webhook's host is a user's, the request is the operator's: what listens on the operator's own
loopback, or hands out credentials at a link-local address (the metadata services of clouds), must
not be asked in its name. The address is looked at when it is connected to, so a name that resolves
to something else the second time is refused too.
"""

from __future__ import annotations

import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from pawl.errors import NotAllowedError


def check(address: str) -> None:
    """NotAllowedError for loopback, link-local, unspecified and multicast addresses; names pass."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return
    ip = getattr(found, "ipv4_mapped", None) or found
    if ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast:
        raise NotAllowedError(
            f"{address} is an address of the operator's own machine or its link; "
            "PAWL_NOTIFY_PRIVATE=true allows it",
            reason="AddressNotAllowed",
        )


class CheckedResolver(AbstractResolver):
    """Resolves names; `check` must hold for every address of them."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """As `ThreadedResolver`, or NotAllowedError."""
        found = await self._inner.resolve(host, port, family)
        for result in found:
            check(result["host"])
        return found

    async def close(self) -> None:
        """There is nothing to end."""
