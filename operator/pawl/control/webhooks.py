"""One request to a webhook of a user's choice; of the answer nothing but its status is read."""

from __future__ import annotations

import time
from typing import NamedTuple
from urllib.parse import urlsplit

from pawl.control.cloudevents import Message, headers, signing_key
from pawl.control.outside import Outside
from pawl.control.rights import NOTIFY_SECRET


class Target(NamedTuple):
    """One webhook of one object."""

    namespace: str
    name: str
    webhook: str
    secret_name: str | None

    @property
    def host(self) -> str:
        """All that may be told of it: the path may be a secret."""
        return urlsplit(self.webhook).hostname or ""


class Webhooks:
    """All webhooks."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def send(self, target: Target, message: Message) -> None:
        """One try. UnavailableError when another one may help, any other PawlError when somebody
        has to change something first."""
        key = await self._key(target)
        answer = await self._outside.request(
            "POST",
            target.webhook,
            data=message.body,
            headers=headers(message, key, int(time.time())),
        )
        answer.check()

    async def _key(self, target: Target) -> bytes | None:
        name = target.secret_name
        if name is None:
            return None
        page = "docs/notifications.md"
        secret = await self._outside.secret(target.namespace, name, usual=NOTIFY_SECRET, page=page)
        return signing_key(secret)
