"""Requests to servers that users name: webhooks, tracking servers.

The address is checked (`control.addresses`), redirects are not followed, no more of an answer is
read than is asked for, and nobody waits for longer than `SECONDS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp

from pawl.control import addresses
from pawl.control.kinds import SECRETS
from pawl.control.kube import Kube, KubeError
from pawl.errors import PawlError, UserError

Object = Mapping[str, Any]
SECONDS = 10
#: Refusals that another try may change.
_AGAIN = (408, 425, 429)


class UnavailableError(PawlError):
    """It may work another time."""

    reason = "Unavailable"


class RefusedError(PawlError):
    """The server does not want it."""

    reason = "Refused"


class Answer(NamedTuple):
    """The beginning of an answer."""

    status: int
    body: bytes

    def check(self) -> None:
        """UnavailableError or RefusedError unless it is 2xx."""
        if self.status in _AGAIN or self.status >= 500:
            raise UnavailableError(f"it answers {self.status}")
        if self.status >= 300:
            raise RefusedError(f"it answers {self.status}")


class Outside:
    """One HTTP session. `private` allows loopback and link-local addresses."""

    def __init__(self, kube: Kube, *, private: bool = False) -> None:
        self._kube = kube
        self._private = private
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=SECONDS),
            connector=aiohttp.TCPConnector(resolver=None if private else addresses.resolver()),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        most: int = 0,
    ) -> Answer:
        """One try; of the answer `most` bytes are read. UnavailableError when another try may help,
        any other PawlError when somebody has to change something first."""
        if not self._private:
            addresses.check(urlsplit(url).hostname or "")
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, allow_redirects=False, read_bufsize=1024
            ) as response:
                body = await _read(response, most) if most else b""
                return Answer(response.status, body)
        except TimeoutError as error:
            raise UnavailableError(f"it does not answer within {SECONDS} s") from error
        except aiohttp.InvalidURL as error:
            raise RefusedError("its address is none") from error
        except aiohttp.ClientConnectorError as error:
            raise UnavailableError(f"it cannot be connected to ({error.strerror})") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnavailableError(f"it cannot be asked ({type(error).__name__})") from error

    async def secret(self, namespace: str, name: str, *, usual: str, page: str) -> Object:
        """A Secret, read anew. `usual` is the name of those that the operator may read anyway,
        `page` of the documentation says how it may read others."""
        try:
            secret = await self._kube.get(SECRETS, namespace, name)
        except KubeError as error:
            if error.code == 403:
                raise UserError(
                    f'the operator may not read Secret "{name}": call it {usual}, or allow the '
                    f"operator to get it ({page})"
                ) from error
            raise UnavailableError(f'Secret "{name}" cannot be read: {error}') from error
        if secret is None:
            raise UserError(f'Secret "{name}" does not exist')
        return secret


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    """RefusedError when there is more."""
    found = bytearray()
    async for chunk in response.content.iter_any():
        found += chunk
        if len(found) > most:
            raise RefusedError(f"it answers more than {most:,} bytes")
    return bytes(found)
