"""Which addresses users may let the operator connect to.

A webhook's host is a user's, the request is the operator's: what is its own machine's or its link's
(`artifacts.addresses`) must not be asked in its name.
"""

from __future__ import annotations

from pawl.artifacts.addresses import is_own
from pawl.artifacts.resolver import CheckedResolver
from pawl.errors import NotAllowedError


def check(address: str) -> None:
    """NotAllowedError for loopback, link-local, unspecified and multicast addresses; names pass."""
    if is_own(address):
        raise NotAllowedError(
            f"{address} is an address of the operator's own machine or its link; "
            "PAWL_NOTIFY_PRIVATE=true allows it",
            reason="AddressNotAllowed",
        )


def resolver() -> CheckedResolver:
    """Resolves names; `check` must hold for every address of them."""
    return CheckedResolver(lambda _, address: check(address))
