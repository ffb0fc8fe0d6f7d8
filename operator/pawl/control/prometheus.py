"""One number from a Prometheus server (HTTP API v1, instant queries)."""

from __future__ import annotations

import math

import aiohttp
import orjson

from pawl.control.pages import whole
from pawl.errors import PawlError, UserError

_MAX_ANSWER = 1 << 20


class PrometheusError(PawlError):
    """Prometheus did not answer, or not with one number."""

    reason = "PrometheusUnreachable"


class Prometheus:
    """One server, by its base URL."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise UserError("PAWL_PROMETHEUS must be the URL of a Prometheus server: http(s)://…")
        self._url = url.rstrip("/") + "/api/v1/query"
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3))

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def value(self, query: str) -> float | None:
        """The value of a query that gives one; None when there is no data. PrometheusError."""
        try:
            async with self._session.post(self._url, data={"query": query}) as response:
                answer = orjson.loads(await whole(response, _MAX_ANSWER))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise PrometheusError(f"Prometheus did not answer: {error!r}") from error
        if not isinstance(answer, dict):
            raise PrometheusError("what answers is no Prometheus")
        if answer.get("status") != "success":
            raise PrometheusError(f"Prometheus refused the query: {answer.get('error')}")
        try:
            return number(answer["data"])
        except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
            raise PrometheusError(f"Prometheus gave no number: {error!r}") from error


def number(data: dict[str, object]) -> float | None:
    """From the `data` of an answer: a scalar, or a vector with one element."""
    kind, result = data.get("resultType"), data.get("result")
    if kind == "scalar" and isinstance(result, list):
        value = float(result[1])
    elif kind == "vector" and isinstance(result, list):
        if not result:
            return None
        if len(result) > 1:
            raise PrometheusError(f"the query gives {len(result)} series, not one")
        value = float(result[0]["value"][1])
    else:
        raise PrometheusError(f"the query gives a {kind}, not one value")
    return value if math.isfinite(value) else None
