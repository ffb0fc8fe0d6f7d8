"""Which of several operators works: the one that holds a Lease (coordination.k8s.io/v1).

With a lease of d seconds, all by clocks that never go back and are compared with no other:

* A holder's term ends 2/3 d after it *began* the last renewal that succeeded. From then on it
  writes nothing (`check`), whether or not it has noticed; that is soon, and it gives up.
* Anybody else takes the lease no sooner than d after it *saw* the last renewal, which was later.
  So terms are at least d/3 apart, however wrong the clocks of the nodes are and however long a
  process was stopped. (What cannot be called back is a write that is on its way for d/3.)
* Every write names the resourceVersion that it read: of two who see a free lease one gets a 409.
* `release` frees the lease at once. Who waits looks every d/15, a holder renews every 2/15 d.

As client-go's tools/leaderelection, with these differences: the term ends by the holder's own
clock also between two renewals (there, work goes on until the renewing loop has noticed); a term
begins when its renewal was sent, not when it was answered; every request has a limit of its own
within the term; a lost term is never taken up again by the same process.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pawl.control.kinds import LEASES, WORKLOADS
from pawl.control.kube import Kube, KubeError
from pawl.errors import PawlError

Object = Mapping[str, Any]
log = logging.getLogger(__name__)


class TermError(PawlError):
    """Another operator may be working by now: this one must not."""

    reason = "TermEnded"


@dataclass(frozen=True)
class Lease:
    """What is held, who asks for it (a name that no other process ever has), and for how long.
    `owner` is the Deployment (apps/v1) that runs those who ask: the lease goes with it."""

    namespace: str
    name: str
    holder: str
    seconds: int = 15
    owner: str = ""


def seconds_that_pass() -> float:
    """Monotonic, and also counts while the machine sleeps where there is such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Elector:
    """`kube` is for nothing else, so that no other request can hold up a renewal."""

    def __init__(
        self,
        kube: Kube,
        lease: Lease,
        *,
        clock: Callable[[], float] = seconds_that_pass,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kube = kube
        self._lease = lease
        self._clock = clock
        self._sleep = sleep
        self._term_ends = float("-inf")
        self._seen: Object = {}  # the spec of somebody else's lease, and since when it is so
        self._seen_at = float("-inf")

    @property
    def holds(self) -> bool:
        """Whether the term has not ended yet."""
        return self._clock() < self._term_ends

    @property
    def grace(self) -> float:
        """Seconds that a process may go on after its term: half of what is between two terms."""
        return self._lease.seconds / 6

    def check(self) -> None:
        """TermError unless the lease is held: to be called before every write."""
        if not self.holds:
            raise TermError(f"this operator does not hold the lease {self._lease.name} (any more)")

    async def acquire(self) -> None:
        """Returns when the lease is held; tries for ever."""
        while not await self._tried(self._lease.seconds / 3):
            await self._pause(1)
        log.info("%s holds the lease %s", self._lease.holder, self._lease.name)

    async def renew(self) -> None:
        """Keeps the lease; never returns. TermError when it is lost."""
        while True:
            await self._pause(2)
            self.check()
            await self._tried(self._term_ends - self._clock())

    async def release(self) -> None:
        """Frees the lease, if it is held; call it when nothing works any more."""
        if not self.holds:
            return
        with suppress(KubeError, TimeoutError):  # else it runs out
            async with asyncio.timeout(1):
                there = await self._read()
                if there is not None and self._is_ours(there):
                    await self._write(there, {"holderIdentity": "", "leaseDurationSeconds": 1})
        self._term_ends = float("-inf")

    async def _tried(self, limit: float) -> bool:
        """One try to take or renew the lease, of at most `limit` seconds and a third of a term.
        TermError when it is somebody else's although we held it."""
        try:
            async with asyncio.timeout(min(limit, self._lease.seconds / 3)):
                return await self._try()
        except (KubeError, TimeoutError) as error:
            log.warning("the lease %s: %s", self._lease.name, error or "no answer in time")
            return False

    async def _try(self) -> bool:
        held, began = self.holds, self._clock()
        there = await self._read()
        if there is None:
            if not await self._create():
                return False
        elif self._is_ours(there):
            await self._write(there, {"renewTime": _now()})
        elif held:
            self._term_ends = float("-inf")
            raise TermError(f"the lease {self._lease.name} was taken by {_holder(there)!r}")
        elif self._is_free(there):
            await self._write(there, self._taken(there))
        else:
            return False
        self._term_ends = began + self._lease.seconds * 2 / 3
        return True

    def _is_ours(self, there: Object) -> bool:
        return _holder(there) == self._lease.holder

    def _is_free(self, there: Object) -> bool:
        """Nobody's, or not renewed for as long as its holder said, since we have been looking."""
        spec = there.get("spec") or {}
        if spec != self._seen:
            self._seen, self._seen_at = spec, self._clock()
        promised = spec.get("leaseDurationSeconds", self._lease.seconds)
        return not _holder(there) or self._clock() >= self._seen_at + promised

    def _taken(self, there: Object) -> dict[str, Any]:
        """The spec of a lease as a new holder writes it."""
        now = _now()
        return {
            "holderIdentity": self._lease.holder,
            "leaseDurationSeconds": self._lease.seconds,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": (there.get("spec") or {}).get("leaseTransitions", 0) + 1,
        }

    async def _read(self) -> Object | None:
        return await self._kube.get(LEASES, self._lease.namespace, self._lease.name)

    async def _create(self) -> bool:
        """False where the owner is gone: who is being uninstalled leaves nothing behind."""
        meta: dict[str, Any] = {"namespace": self._lease.namespace, "name": self._lease.name}
        if self._lease.owner:
            owner = await self._kube.get(WORKLOADS, self._lease.namespace, self._lease.owner)
            if owner is None:
                return False
            meta["ownerReferences"] = [
                {
                    "apiVersion": WORKLOADS.api_version,
                    "kind": WORKLOADS.kind,
                    "name": self._lease.owner,
                    "uid": owner["metadata"]["uid"],
                }
            ]
        spec = {**self._taken({}), "leaseTransitions": 0}
        item = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": meta}
        await self._kube.create(LEASES, {**item, "spec": spec})
        return True

    async def _write(self, there: Object, spec: Object) -> None:
        meta = {"resourceVersion": there["metadata"]["resourceVersion"]}
        namespace, name = self._lease.namespace, self._lease.name
        await self._kube.merge(LEASES, namespace, name, {"metadata": meta, "spec": spec})

    async def _pause(self, fifteenths: int) -> None:
        """Of a lease, and up to a fifth more, so that those who wait do not ask all at once."""
        jitter = random.uniform(1.0, 1.2)  # noqa: S311 - keeps no secret
        await self._sleep(fifteenths * self._lease.seconds / 15 * jitter)


def _holder(there: Object) -> str:
    return str((there.get("spec") or {}).get("holderIdentity") or "")


def _now() -> str:
    """For people: nobody decides by it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
