"""Users: requests without a break, and what became of each of them."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx

USER_HEADER = "x-user-id"
_PAUSE = 0.004


class Request(NamedTuple):
    """One that is over. `sent` is by the monotonic clock, `seconds` how long it took; `version`
    answered it, or `error` says why none did."""

    sent: float
    seconds: float
    user: str
    version: str
    error: str


@dataclass(frozen=True)
class Mark:
    """A moment of a load: between the requests that were sent before, and those sent after."""

    moment: float
    count: int


class Load:
    """Sends requests until it is stopped, over `connections` at a time.

    They take turns with `bodies` (which may be replaced on the way) and `users`; a user has one
    request under way at a time. `failed` is of all requests, so nothing is tried again here.
    """

    def __init__(
        self,
        url: str,
        model: str,
        bodies: Any,
        connections: int = 2,
        users: Sequence[str] = (),
    ) -> None:
        self.bodies: list[Any] = bodies if isinstance(bodies, list) else [bodies]
        self._url = f"{url}/v2/models/{model}/infer"
        self._users = [list(users[i::connections]) or [""] for i in range(connections)]
        self._requests: list[Request] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(mine,), name="load") for mine in self._users
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def requests(self) -> list[Request]:
        """All that are over, in the order in which they ended."""
        return self._requests[:]

    @property
    def failed(self) -> list[str]:
        """Why requests had no answer."""
        return [request.error for request in self.requests if request.error]

    @property
    def ok(self) -> int:
        """How many were answered."""
        return sum(not request.error for request in self.requests)

    @property
    def versions(self) -> set[str]:
        """Who answered."""
        return {request.version for request in self.requests if request.version}

    def by(self, version: str) -> int:
        """How many a version answered."""
        return sum(request.version == version for request in self.requests)

    def mark(self) -> Mark:
        """Now."""
        return Mark(time.monotonic(), len(self._requests))

    def since(self, mark: Mark) -> list[Request]:
        """Those that were sent after a mark (and not only ended after it)."""
        return [r for r in self._requests[mark.count :] if r.sent > mark.moment]

    def before(self, mark: Mark) -> list[Request]:
        """Those that had ended at a mark."""
        return self._requests[: mark.count]

    def _run(self, users: list[str]) -> None:
        turns = itertools.cycle(users)
        with httpx.Client(timeout=20, trust_env=False) as session:
            for number in itertools.count():
                if self._stop.is_set():
                    return
                body = self.bodies[number % len(self.bodies)]
                self._requests.append(self._send(session, body, next(turns)))
                time.sleep(_PAUSE)

    def _send(self, session: httpx.Client, body: Any, user: str) -> Request:
        headers = {USER_HEADER: user} if user else {}
        sent, version, error = time.monotonic(), "", ""
        try:
            answer = session.post(self._url, json=body, headers=headers)
            if answer.status_code == 200:
                version = answer.json()["model_version"]
            else:
                error = f"{answer.status_code} {answer.text[:200]}"
        except httpx.HTTPError as problem:
            error = repr(problem)
        return Request(sent, time.monotonic() - sent, user, version, error)


def slowest(requests: Sequence[Request]) -> float:
    """Seconds."""
    return max((request.seconds for request in requests), default=0.0)
