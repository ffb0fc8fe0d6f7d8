"""Pretended pods of a model with 60 features, all of them in one process: what they counted in any
minutes, by HTTP. Those at one address have traffic like the baseline, those at the other have not.

    python -m benchmarks.watched_pods PORT
"""

from __future__ import annotations

import asyncio
import sys
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import orjson

MINUTE = 60
NUMBERS, CATEGORIES, ROWS_A_MINUTE = 50, 10, 50
CALM, DRIFTED = "127.0.0.1", "127.0.0.2"


class Pages:
    """What pods say: rows are drawn from the baseline, or from its upper half."""

    def __init__(self) -> None:
        from benchmarks.monitor import laid_out  # here: it takes memory, and not the operator's

        random = np.random.default_rng(1)
        numbers = random.normal(size=(20_000, NUMBERS))
        kinds = random.integers(20, size=(20_000, CATEGORIES)).astype(str).astype(object)
        layout = laid_out(numbers, kinds, random.uniform(size=20_000))
        self._head = {"format": 1, "model": "m", "version": 1, "layout": layout.digest}
        features = orjson.Fragment(layout.features)
        self.layout = orjson.dumps(self._head | {"features": features})
        described = orjson.loads(layout.features)
        self._minutes = {
            where: [self._minute(random, described, where) for _ in range(97)]
            for where in (CALM, DRIFTED)
        }

    def _minute(self, random: np.random.Generator, features: list[Any], where: str) -> bytes:
        cells = []
        for at, feature in enumerate(features):
            shares = np.array(feature["reference"], dtype=float)
            if where == DRIFTED and at == 0:
                shares[: len(shares) // 2] = 0
            cells.append(random.multinomial(ROWS_A_MINUTE, shares / shares.sum()))
        return np.concatenate(cells).astype("<u4").tobytes()

    def counts(self, where: str, begin: int, end: int) -> bytes:
        """Of whole minutes."""
        known, minutes = self._minutes[where], range(begin // MINUTE, end // MINUTE)
        cells = b"".join(known[minute % len(known)] for minute in minutes)
        about = {"from": begin, "to": end, "step": MINUTE, "cells": b64encode(cells).decode()}
        return orjson.dumps(self._head | about)


async def serve(port: int) -> None:
    """All pods, in a process of their own."""
    pages = Pages()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        where = writer.get_extra_info("sockname")[0]
        while request := await reader.readline():
            url = urlsplit(request.split(b" ")[1].decode())
            while (await reader.readline()).strip():
                pass
            body = pages.layout
            if url.path == "/features":
                query = parse_qs(url.query)
                body = pages.counts(where, int(query["from"][0]), int(query["to"][0]))
            head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()

    servers = [await asyncio.start_server(answer, where, port) for where in (CALM, DRIFTED)]
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
