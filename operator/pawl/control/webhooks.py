"""One request to a webhook of a user's choice.

Nothing of the answer but its status is looked at, redirects are not followed, and the address is
checked (`control.addresses`).
"""

from __future__ import annotations

import time
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp

from pawl.control import addresses
from pawl.control.cloudevents import Message, headers, signing_key
from pawl.control.kinds import SECRETS
from pawl.control.kube import Kube, KubeError
from pawl.errors import PawlError, UserError

_TIMEOUT = aiohttp.ClientTimeout(total=10)
#: Refusals that another try may change.
_AGAIN = (408, 425, 429)


class Target(NamedTuple):
    """One webhook of one Deployment."""

    namespace: str
    deployment: str
    webhook: str
    secret_name: str | None

    @property
    def host(self) -> str:
        """All that may be told of it: the path may be a secret."""
        return urlsplit(self.webhook).hostname or ""


class UnavailableError(PawlError):
    """It may be delivered another time."""


class RefusedError(PawlError):
    """The receiver does not want it."""


class Webhooks:
    """One HTTP session for all webhooks. `private` allows loopback and link-local addresses."""

    def __init__(self, kube: Kube, *, private: bool = False) -> None:
        self._kube = kube
        self._private = private
        resolver = None if private else addresses.resolver()
        self._session = aiohttp.ClientSession(
            timeout=_TIMEOUT, connector=aiohttp.TCPConnector(resolver=resolver)
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def send(self, target: Target, message: Message) -> None:
        """One try, of at most 10 s. UnavailableError when another one may help, any other PawlError
        when somebody has to change something first."""
        key = await self._key(target)
        if not self._private:
            addresses.check(target.host)
        try:
            status = await self._post(target.webhook, message, key)
        except TimeoutError as error:
            raise UnavailableError("it does not answer within 10 s") from error
        except aiohttp.InvalidURL as error:
            raise RefusedError("its address is none") from error
        except aiohttp.ClientConnectorError as error:
            raise UnavailableError(f"it cannot be connected to ({error.strerror})") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnavailableError(f"it cannot be asked ({type(error).__name__})") from error
        if status in _AGAIN or status >= 500:
            raise UnavailableError(f"it answers {status}")
        if status >= 300:
            raise RefusedError(f"it answers {status}")

    async def _post(self, url: str, message: Message, key: bytes | None) -> int:
        async with self._session.post(
            url,
            data=message.body,
            headers=headers(message, key, int(time.time())),
            allow_redirects=False,
            read_bufsize=1024,
        ) as response:
            return response.status

    async def _key(self, target: Target) -> bytes | None:
        name = target.secret_name
        if name is None:
            return None
        try:
            secret = await self._kube.get(SECRETS, target.namespace, name)
        except KubeError as error:
            if error.code == 403:
                raise UserError(
                    f'the operator may not read Secret "{name}": call it pawl-notify, or allow the '
                    "operator to get it (docs/notifications.md)"
                ) from error
            raise UnavailableError(f'Secret "{name}" cannot be read: {error}') from error
        if secret is None:
            raise UserError(f'Secret "{name}" does not exist')
        return signing_key(secret)
