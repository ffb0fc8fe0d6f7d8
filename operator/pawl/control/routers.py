"""Asks the router pods for revisions, healthy hosts, requests under way and requests counted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import orjson

from pawl.constants import ANNOTATION_REFRESH, ROUTER_STATE_PORT
from pawl.control.metrics import POLLS
from pawl.control.pages import whole
from pawl.core.routing.state import RouterState, Totals

Object = Mapping[str, Any]
_COUNTED = (
    r"(upstream_rq_completed|upstream_rq_5xx|upstream_rq_4xx|upstream_rq_timeout"
    r"|upstream_rq_cancelled|upstream_rq_pending_overflow|upstream_cx_destroy_local_with_active_rq)"
)
#: Names of `/stats` that are asked for: a filter, so that the page stays small.
STATS = rf"^server\.uptime$|version_text$|^cluster\.v[0-9]+(-shadow(?:-large)?)?\.{_COUNTED}$"
_REVISION = re.compile(r'^(cluster_manager\.cds|http\.http\.rds\.models)\.version_text: "(\w*)"')
_COUNTER = re.compile(rf"^cluster\.v([0-9]+)(-shadow(?:-large)?)?\.{_COUNTED}: ([0-9]+)$")
_UPTIME = re.compile(r"^server\.uptime: ([0-9]+)$", re.MULTILINE)
_CLUSTER = re.compile(r"^v([0-9]+)(-direct)?$")
_MAX_PAGE = 4 << 20
_UNKNOWN = RouterState(None, None)


class Routers:
    """One HTTP session for all router pods."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3))

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def states(self, pods: Iterable[Object]) -> tuple[RouterState, ...]:
        """The state of every ready router pod. One that does not answer has unknown revisions, so
        nothing is taken as confirmed."""
        return tuple(await asyncio.gather(*(self._state(pod) for pod in pods if _ready(pod))))

    async def _state(self, pod: Object) -> RouterState:
        meta, base = pod["metadata"], f"http://{pod['status']['podIP']}:{ROUTER_STATE_PORT}"
        touched = meta.get("annotations", {}).get(ANNOTATION_REFRESH, "")
        try:
            texts, clusters = await asyncio.gather(
                self._page(f"{base}/stats", filter=STATS),
                self._page(f"{base}/clusters", format="json"),
            )
            state = parse_state(texts.decode(), clusters)
            result = "answered"
        except (aiohttp.ClientError, OSError, TimeoutError):
            state, result = _UNKNOWN, "failed"
        except (ValueError, KeyError, TypeError, AttributeError):  # something else answers there
            state, result = _UNKNOWN, "failed"
        POLLS.labels("router", result).inc()
        return replace(state, pod=meta["name"], touched=touched, started=_started(pod))

    async def _page(self, url: str, **query: str) -> bytes:
        async with self._session.get(url, params=query) as response:
            response.raise_for_status()
            return await whole(response, _MAX_PAGE)


def parse_state(texts: str, clusters: bytes) -> RouterState:
    """From Envoy's `/stats?filter=STATS` and `/clusters?format=json`.

    A version has up to four clusters (core.routing.envoy): `v7` for what is given to it by weight,
    `v7-direct` for the rest, `v7-shadow` and `v7-shadow-large` for copies. Healthy are the hosts
    that both of the first two find healthy.
    """
    revisions = {
        match[1]: match[2] for line in texts.splitlines() if (match := _REVISION.match(line))
    }
    healthy: dict[int, int] = {}
    active: dict[int, int] = {}
    for status in orjson.loads(clusters).get("cluster_statuses", []):
        match = _CLUSTER.match(status["name"])
        if match is None:
            continue
        version, hosts = int(match[1]), status.get("host_statuses", [])
        count = sum(_healthy(host) for host in hosts)
        healthy[version] = min(healthy.get(version, count), count)
        active[version] = active.get(version, 0) + sum(_gauge(host, "rq_active") for host in hosts)
    uptime = _UPTIME.search(texts)
    totals, mirrored = _totals(texts)
    return RouterState(
        clusters_revision=revisions.get("cluster_manager.cds"),
        routes_revision=revisions.get("http.http.rds.models"),
        healthy=healthy,
        active=active,
        totals=totals,
        mirrored=mirrored,
        uptime=int(uptime[1]) if uptime is not None else 0,
    )


def _totals(texts: str) -> tuple[dict[int, Totals], dict[int, Totals]]:
    """Of users' requests, and of copies."""
    counted: dict[tuple[int, str], dict[str, int]] = {}
    for line in texts.splitlines():
        if match := _COUNTER.match(line):
            counted.setdefault((int(match[1]), match[2] or ""), {})[match[3]] = int(match[4])
    users: dict[int, Totals] = {}
    copies: dict[int, Totals] = {}
    for (version, kind), names in counted.items():
        into, total = (copies, _copies(names)) if kind else (users, _total(names))
        into[version] = into.get(version, Totals()) + total
    return users, copies


def _total(counted: Mapping[str, int]) -> Totals:
    """Retried attempts are in none of these counters. The router ends a request that has no answer
    when it times out or when the client went: by closing its connection, or before it had one."""
    ended = counted.get("upstream_cx_destroy_local_with_active_rq", 0)
    ended += counted.get("upstream_rq_cancelled", 0)
    abandoned = max(0, ended - counted.get("upstream_rq_timeout", 0))
    failed = counted.get("upstream_rq_5xx", 0) + counted.get("upstream_rq_4xx", 0)
    requests = counted.get("upstream_rq_completed", 0) + abandoned
    return Totals(requests, failed + abandoned, abandoned)


def _copies(counted: Mapping[str, int]) -> Totals:
    """Those that were not sent, because the shadow has too many already, are no requests; and a
    client that went says nothing of the shadow, whose answer it does not wait for."""
    unsent = counted.get("upstream_rq_pending_overflow", 0)
    failed = counted.get("upstream_rq_5xx", 0) + counted.get("upstream_rq_4xx", 0)
    return Totals(max(0, counted.get("upstream_rq_completed", 0) - unsent), max(0, failed - unsent))


def _started(pod: Object) -> str:
    """Names the container that runs."""
    statuses = pod["status"].get("containerStatuses", [])
    restarts = sum(status.get("restartCount", 0) for status in statuses)
    return f"{pod['metadata'].get('uid', '')}/{restarts}"


def _healthy(host: Object) -> bool:
    health = host.get("health_status", {})
    return health.get("eds_health_status") == "HEALTHY" and not health.get(
        "failed_active_health_check"
    )


def _gauge(host: Object, name: str) -> int:
    return next((int(s.get("value", 0)) for s in host.get("stats", []) if s["name"] == name), 0)


def _ready(pod: Object) -> bool:
    status = pod.get("status", {})
    return (
        "deletionTimestamp" not in pod["metadata"]
        and bool(status.get("podIP"))
        and any(
            c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", [])
        )
    )
