"""The requests of the demo."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from pawl.errors import PawlError

#: Senders that keep the load up, and the seconds for which each of them rests after a request:
#: about 300 requests a second, which leave a machine of two cores room to train.
_SENDERS, _REST = 6, 0.012


class DemoError(PawlError):
    """A step did not happen."""

    reason = "DemoFailed"


@dataclass
class Traffic:
    """What came of the requests that were sent through the router."""

    ok: int = 0
    failed: list[str] = field(default_factory=list)
    right: int = 0
    seconds: list[float] = field(default_factory=list)
    by_version: dict[str, int] = field(default_factory=dict)

    def quantile(self, q: float) -> float:
        """Latency in milliseconds."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(q * len(ordered)))]


async def send(
    url: str,
    rows: list[dict[str, Any]],
    traffic: Traffic,
    *,
    limit: int | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """One row a request, up to `limit` requests or until `stop`."""
    features = [name for name in rows[0] if name not in ("patient_id", "diagnosis")]
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for number in range(limit if limit is not None else 1_000_000):
            if stop is not None and stop.is_set():
                return
            row = rows[number % len(rows)]
            body = {
                "inputs": [
                    {"name": name, "datatype": "FP64", "shape": [1], "data": [row[name]]}
                    for name in features
                ]
            }
            await _one(session, url, body, row["diagnosis"], traffic)
            if stop is not None:
                await asyncio.sleep(_REST)


@asynccontextmanager
async def load(
    url: Awaitable[str], rows: list[dict[str, Any]], traffic: Traffic
) -> AsyncIterator[Traffic]:
    """Requests without a break, each sender through the rows in another order."""
    stop, where = asyncio.Event(), await url
    orders = [random.Random(number).sample(rows, len(rows)) for number in range(_SENDERS)]  # noqa: S311
    senders = [asyncio.create_task(send(where, order, traffic, stop=stop)) for order in orders]
    try:
        yield traffic
    finally:
        stop.set()
        await asyncio.gather(*senders)


async def _one(
    session: aiohttp.ClientSession, url: str, body: Any, truth: str, traffic: Traffic
) -> None:
    begun = time.perf_counter()
    try:
        async with session.post(url, json=body) as response:
            answer = await response.json(content_type=None)
            if response.status != 200:
                traffic.failed.append(f"HTTP {response.status}: {answer}")
                return
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        traffic.failed.append(repr(error))
        return
    traffic.seconds.append(time.perf_counter() - begun)
    traffic.ok += 1
    outputs = {output["name"]: output["data"] for output in answer["outputs"]}
    traffic.right += outputs["label"][0] == truth
    version = answer["model_version"]
    traffic.by_version[version] = traffic.by_version.get(version, 0) + 1


def expect_all_answered(traffic: Traffic) -> None:
    if traffic.failed:
        raise DemoError(f"{len(traffic.failed)} requests failed, the first: {traffic.failed[0]}")
    if not traffic.ok:
        raise DemoError("no request was sent")
