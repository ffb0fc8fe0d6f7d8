"""The loopback addresses of one cluster: a /16 of 127.0.0.0/8 that no other cluster uses.

    127.n.0.1            API server and node (hostIP); the cluster IP of Service default/kubernetes
    127.n.0.10           DNS
    127.n.1.0 – 63.255   cluster IPs of services
    127.n.64.0 – 255.254 pods

n is claimed by binding a name in the abstract socket namespace. The kernel frees it with the
process, it needs no file and no privilege, and it has the same scope as the addresses themselves:
the network namespace.
"""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from pawl.errors import PawlError

# 127.0 holds the host's own names (127.0.0.1, 127.0.0.53, 127.0.1.1), so it is left alone.
_FIRST, _LAST = 16, 250


class NoNetworkError(PawlError):
    """Every /16 is taken by another cluster."""

    reason = "NoNetwork"


@dataclass
class Network:
    """The addresses of 127.n.0.0/16. Holds the claim until `close()`."""

    n: int
    _claim: socket.socket
    _pods: dict[str, str] = field(default_factory=dict)  # pod uid -> address
    _used: set[str] = field(default_factory=set)
    _cursor: int = 0

    @property
    def node_ip(self) -> str:
        return f"127.{self.n}.0.1"

    @property
    def dns_ip(self) -> str:
        return f"127.{self.n}.0.10"

    @property
    def service_cidr(self) -> IPv4Network:
        """Where cluster IPs come from; its first 256 addresses are not given to services."""
        return IPv4Network(f"127.{self.n}.0.0/18")

    def pod_ip(self, uid: str) -> str:
        """The address of a pod, the same for its whole life.

        Addresses are handed out in turn, so that one that a pod left is not seen again for a
        while and late connections do not reach a stranger.
        """
        if uid not in self._pods:
            address = next(a for a in self._candidates() if a not in self._used)
            self._pods[uid] = address
            self._used.add(address)
        return self._pods[uid]

    def release(self, uid: str) -> None:
        address = self._pods.pop(uid, None)
        if address is not None:
            self._used.discard(address)

    def close(self) -> None:
        self._claim.close()

    def _candidates(self) -> Iterator[str]:
        first = int(IPv4Address(f"127.{self.n}.64.1"))
        count = int(IPv4Address(f"127.{self.n}.255.254")) - first + 1
        for _ in range(count):
            address = IPv4Address(first + self._cursor)
            self._cursor = (self._cursor + 1) % count
            yield str(address)


def claim() -> Network:
    """Claim the first free /16. Raises NoNetworkError."""
    for n in range(_FIRST, _LAST + 1):
        if (found := take(n)) is not None:
            return found
    raise NoNetworkError("no free 127.n.0.0/16: too many clusters are running on this machine")


def take(n: int) -> Network | None:
    """Claim 127.n.0.0/16; None when another cluster has it."""
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        lock.bind(f"\0pawl-local/127.{n}")
    except OSError:
        lock.close()
        return None
    return Network(n, lock)
