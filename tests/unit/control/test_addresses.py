"""Where webhooks may not be."""

from __future__ import annotations

import pytest

from pawl.control.addresses import check, resolver
from pawl.errors import NotAllowedError


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "169.254.169.254", "fe80::1%eth0",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "224.0.0.1",
    ],
)  # fmt: skip
def test_own_and_link_local_addresses_are_refused(address: str):
    with pytest.raises(NotAllowedError, match="PAWL_NOTIFY_PRIVATE"):
        check(address)


@pytest.mark.parametrize("address", ["10.0.0.7", "192.168.1.1", "8.8.8.8", "2001:db8::1", "name"])
def test_the_rest_may_be_asked(address: str):
    check(address)


@pytest.mark.parametrize("name", ["localhost", "2130706433", "0x7f.1"])
async def test_what_a_name_resolves_to_is_looked_at(name: str):
    with pytest.raises(NotAllowedError):
        await resolver().resolve(name, 80)
