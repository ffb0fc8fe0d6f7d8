"""What an API server's answer means when it is not the one that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import orjson

from pawl.errors import PawlError

#: Most seconds for which a request waits to be sent again.
_LONGEST_PAUSE = 30.0


class KubeError(PawlError):
    """The API server refused a request; `code` is the HTTP status (0: there was no answer), and
    `causes` are the reasons that stand in its details."""

    def __init__(
        self, code: int, reason: str, message: str, causes: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(message, reason=reason)
        self.code = code
        self.causes = causes

    @property
    def namespace_ends(self) -> bool:
        """Nothing can be created any more where the request was for: trying again cannot help."""
        return "NamespaceTerminating" in self.causes

    @property
    def is_final(self) -> bool:
        """The same will be refused again, until somebody changes something else: a quota, a policy,
        a right, or what was asked for."""
        return self.code in (400, 403, 413, 422) and not self.namespace_ends

    @property
    def may_be_done(self) -> bool:
        """Whether a write may have been done in spite of it."""
        return self.code == 0 or self.code >= 500


@contextmanager
def told() -> Iterator[None]:
    """Without an answer, or with half of one: a KubeError too."""
    try:
        yield
    except (aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError) as error:
        raise KubeError(0, "NoAnswer", f"no answer of the API server: {error!r}") from error


def pause_wanted(response: aiohttp.ClientResponse) -> float | None:
    """After how many seconds a request may be sent again, if that may help: at once with a new
    token, else when the API server wants it."""
    if response.status == 401:
        return 0.1
    after = response.headers.get("Retry-After", "")
    if response.status not in (429, 503) or not after.isdigit():
        return None
    return min(float(after), _LONGEST_PAUSE)


def refusal(code: int, data: bytes) -> KubeError:
    try:
        status = orjson.loads(data)
        causes = (status.get("details") or {}).get("causes") or ()
        reasons = frozenset(cause.get("reason", "") for cause in causes)
        return KubeError(code, status.get("reason", ""), status.get("message", ""), reasons)
    except (orjson.JSONDecodeError, AttributeError):
        return KubeError(code, "Unknown", data[:300].decode(errors="replace"))
