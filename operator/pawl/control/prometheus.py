"""Numbers from a Prometheus server (HTTP API v1): one of now, or series over time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from pawl.control.pages import whole
from pawl.errors import PawlError, UserError

_MAX_ANSWER, _MAX_RANGE = 1 << 20, 16 << 20


class PrometheusError(PawlError):
    """Prometheus did not answer, or not with one number."""

    reason = "PrometheusUnreachable"


@dataclass(frozen=True)
class Ranged:
    """One series: (epoch second, value), where there is one; finite values only."""

    labels: Mapping[str, str]
    values: tuple[tuple[int, float], ...]


class Prometheus:
    """One server, by its base URL."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise UserError("PAWL_PROMETHEUS must be the URL of a Prometheus server: http(s)://…")
        self._url = url.rstrip("/") + "/api/v1"
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3))

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def value(self, query: str) -> float | None:
        """The value of a query that gives one; None when there is no data. PrometheusError."""
        data = await self._ask("query", {"query": query}, _MAX_ANSWER)
        try:
            return number(data)
        except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
            raise PrometheusError(f"Prometheus gave no number: {error!r}") from error

    async def ranged(self, query: str, start: int, end: int, step: int) -> list[Ranged]:
        """The series of a query at start, start + step, …, end (epoch seconds). PrometheusError."""
        asked = {"query": query, "start": str(start), "end": str(end), "step": str(step)}
        data = await self._ask("query_range", asked, _MAX_RANGE)
        try:
            if data["resultType"] != "matrix":
                raise ValueError(f"a {data['resultType']}")
            return [_ranged(series) for series in data["result"]]
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise PrometheusError(f"Prometheus gave no series: {error!r}") from error

    async def _ask(self, path: str, asked: dict[str, str], most: int) -> Any:
        """The `data` of an answer."""
        try:
            async with self._session.post(f"{self._url}/{path}", data=asked) as response:
                answer = orjson.loads(await whole(response, most))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise PrometheusError(f"Prometheus did not answer: {error!r}") from error
        if not isinstance(answer, dict):
            raise PrometheusError("what answers is no Prometheus")
        if answer.get("status") != "success":
            raise PrometheusError(f"Prometheus refused the query: {answer.get('error')}")
        return answer.get("data")


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


def _ranged(series: Any) -> Ranged:
    found = ((int(second), float(text)) for second, text in series["values"])
    labels = {str(name): str(value) for name, value in series["metric"].items()}
    return Ranged(labels, tuple((second, v) for second, v in found if math.isfinite(v)))
