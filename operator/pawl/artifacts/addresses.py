"""Addresses that nobody may be made to ask for somebody else: one's own machine, and its link.

What listens on the loopback of a pod, or hands out credentials at a link-local address (the
metadata services of clouds), must not be asked in a user's name.
"""

from __future__ import annotations

import ipaddress


def is_own(address: str) -> bool:
    """Loopback, link-local, unspecified or multicast; False for names. IPv4 addresses inside IPv6
    ones count."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    ip = getattr(found, "ipv4_mapped", None) or found
    return bool(ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast)


def is_address(text: str) -> bool:
    """Whether it is an IP address, in the usual form."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
