"""Whole bodies of HTTP answers, of bounded length.

aiohttp's `content.read(n)` gives what has arrived so far, up to n bytes: a large page would be cut
where its first packets end.
"""

from __future__ import annotations

import aiohttp


async def whole(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body. ValueError when it has more than `most` bytes."""
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > most:
            raise ValueError(f"an answer has more than {most} bytes")
        chunks.append(chunk)
    return b"".join(chunks)
