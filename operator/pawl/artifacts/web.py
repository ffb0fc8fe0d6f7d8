"""The http(s) file system of fsspec, which asks only whom it may: the first URI, what an answer
leads to, and every address of their names are checked (`uris.Guard`)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import urljoin

import aiohttp
import fsspec

from pawl.artifacts.resolver import CheckedResolver
from pawl.artifacts.retry import CONNECT_SECONDS
from pawl.artifacts.uris import Guard

_READ_SECONDS = 60.0


def filesystem(scheme: str, guard: Guard, **options: Any) -> Any:
    """For `scheme` http or https."""
    # No limit on the whole: a large file takes its time.
    timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=_READ_SECONDS)

    async def session(**kwargs: Any) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(resolver=CheckedResolver(guard.check_address))
        return aiohttp.ClientSession(
            connector=connector, timeout=timeout, trace_configs=[_tracing(guard)], **kwargs
        )

    return fsspec.filesystem(scheme, get_client=session, **options)


def _tracing(guard: Guard) -> aiohttp.TraceConfig:
    tracing = aiohttp.TraceConfig()

    async def begins(_: Any, __: SimpleNamespace, asked: aiohttp.TraceRequestStartParams) -> None:
        guard.check(str(asked.url))

    async def leads(_: Any, __: SimpleNamespace, to: aiohttp.TraceRequestRedirectParams) -> None:
        headers = to.response.headers
        target = headers.get("Location") or headers.get("URI") or ""
        guard.check(urljoin(str(to.url), target))

    tracing.on_request_start.append(begins)
    tracing.on_request_redirect.append(leads)
    return tracing
