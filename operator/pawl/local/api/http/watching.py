"""Watches over HTTP: one JSON object per line, until the client goes or the time is up."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from aiohttp import web

from pawl.local.api import errors
from pawl.local.api.http import options
from pawl.local.api.http.negotiation import JSON
from pawl.local.api.http.objects import form_of
from pawl.local.api.http.options import ListOptions
from pawl.local.api.http.paths import Target
from pawl.local.api.http.rendering import EventEncoder
from pawl.local.api.registry import Registry, build_filter
from pawl.local.api.watch import Watch

BOOKMARK_SECONDS = 60.0
_MIN_TIMEOUT = 1800  # kube-apiserver --min-request-timeout


@dataclass
class _Stream:
    """One watch on its way to one client."""

    watch: Watch
    encoder: EventEncoder
    response: web.StreamResponse
    asked: ListOptions
    deadline: float


class Watching:
    """`bookmark_seconds`: how often a client that asked for bookmarks gets one."""

    def __init__(self, registry: Registry, bookmark_seconds: float = BOOKMARK_SECONDS) -> None:
        self._registry = registry
        self._bookmark_seconds = bookmark_seconds

    async def serve(self, request: web.BaseRequest, at: Target) -> web.StreamResponse:
        form = form_of(request)
        asked = options.list_options(request.query, watch=True)
        fields = asked.fields
        if at.name:
            fields = ",".join(filter(None, [fields, f"metadata.name={at.name}"]))
        wanted = build_filter(at.resource, asked.labels, fields)
        watch = Watch(self._registry.table(at.resource), at.namespace, wanted)
        response = web.StreamResponse()
        response.headers["Content-Type"] = JSON
        response.headers["Cache-Control"] = "no-cache, private"
        # asyncio's clock; the random part keeps clients from coming back all at once
        timeout = asked.timeout or random.uniform(_MIN_TIMEOUT, 2 * _MIN_TIMEOUT)  # noqa: S311
        deadline = asyncio.get_running_loop().time() + timeout
        stream = _Stream(watch, EventEncoder(at.resource, form), response, asked, deadline)
        try:
            await self._begin(request, stream)
            await self._follow(stream)
        except (ConnectionError, asyncio.CancelledError):
            raise
        finally:
            watch.close()
        await response.write_eof()
        return response

    async def _begin(self, request: web.BaseRequest, stream: _Stream) -> None:
        """Decide where the watch starts; an old revision ends it with an ERROR event."""
        asked, watch = stream.asked, stream.watch
        failed: errors.ApiError | None = None
        initial = asked.initial or (not asked.revision and "sendInitialEvents" not in request.query)
        if initial:
            watch.begin()
        elif asked.revision:
            try:
                watch.replay(asked.revision)
            except errors.ApiError as error:
                failed = error
        await stream.response.prepare(request)
        if failed is not None:
            await stream.response.write(stream.encoder.plain("ERROR", failed.status()))
            watch.close()
            return
        await self._write(stream)
        if asked.initial:
            revision = self._registry.store.revision
            await stream.response.write(stream.encoder.bookmark(revision, initial=True))

    async def _follow(self, stream: _Stream) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._bookmark_seconds
        while not stream.watch.closed:
            until = min(due, stream.deadline) if stream.asked.bookmarks else stream.deadline
            await stream.watch.wait(max(until - loop.time(), 0))
            await self._write(stream)
            now = loop.time()
            if stream.asked.bookmarks and now >= min(due, stream.deadline):
                await stream.response.write(stream.encoder.bookmark(self._registry.store.revision))
                due = now + self._bookmark_seconds
            if now >= stream.deadline:
                return
        if stream.watch.failed is not None:
            status = stream.watch.failed.status()
            await stream.response.write(stream.encoder.plain("ERROR", status))

    async def _write(self, stream: _Stream) -> None:
        changes = stream.watch.take()
        if changes:
            lines = b"".join(map(stream.encoder.line, changes))
            await stream.response.write(lines)
