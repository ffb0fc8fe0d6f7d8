"""Cluster IPs of Services: addresses of the loopback network, so that a proxy without any
privilege can listen on them."""

from __future__ import annotations

import ipaddress

DEFAULT_NETWORK = ipaddress.IPv4Network("127.96.0.0/18")

# The first addresses of the network are for the node itself, the API server and DNS.
RESERVED = 256


class ExhaustedError(Exception):
    """No address is left."""


class AddressPool:
    """Hands out each address once until it is released; lower ones first, in turn, so that an
    address that was just released is not used again at once."""

    def __init__(self, network: ipaddress.IPv4Network = DEFAULT_NETWORK) -> None:
        self._network = network
        self._taken: set[str] = set()
        self._next = RESERVED

    def __contains__(self, address: str) -> bool:
        try:
            return ipaddress.ip_address(address) in self._network
        except ValueError:
            return False

    @property
    def network(self) -> str:
        return str(self._network)

    def take(self, address: str) -> bool:
        """Reserve a certain address; False when somebody has it."""
        if address in self._taken:
            return False
        self._taken.add(address)
        return True

    def allocate(self) -> str:
        last = self._network.num_addresses - 2
        for _ in range(RESERVED, last + 1):
            address = str(self._network.network_address + self._next)
            self._next = self._next + 1 if self._next < last else RESERVED
            if self.take(address):
                return address
        raise ExhaustedError

    def release(self, address: str) -> None:
        self._taken.discard(address)
