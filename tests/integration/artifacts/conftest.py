"""A small S3: one bucket in memory, path-style, conditional puts, and faults on demand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest


class FakeS3:
    """What the server holds and how it behaves."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.faults = 0  # so many requests are answered with 503
        self.deny = False
        self.requests: list[str] = []
        self.lock = threading.Lock()
        self.url = ""
        self.connections = 0
        self.hung_up = threading.Condition()

    def connected(self, change: int) -> None:
        with self.hung_up:
            self.connections += change
            self.hung_up.notify_all()

    def all_hung_up(self) -> bool:
        """Whether every connection ends within ten seconds."""
        with self.hung_up:
            return self.hung_up.wait_for(lambda: self.connections == 0, 10)


def _handler(s3: FakeS3) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            s3.connected(+1)

        def finish(self) -> None:
            super().finish()
            s3.connected(-1)

        def log_message(self, *_: Any) -> None:
            pass

        def _faulty(self) -> bool:
            s3.requests.append(f"{self.command} {self.path}")
            if s3.deny:
                self._answer(403, _error("AccessDenied"))
                return True
            with s3.lock:
                if s3.faults > 0:
                    s3.faults -= 1
                    self._answer(503, _error("SlowDown"))
                    return True
            return False

        def _answer(self, code: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _key(self) -> str:
            return unquote(urlsplit(self.path).path).removeprefix("/bucket").lstrip("/")

        def do_DELETE(self) -> None:
            if not self._faulty():
                s3.blobs.pop(self._key(), None)
                self._answer(204)

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Transfer-Encoding") == "chunked" or self.headers.get(
                "x-amz-decoded-content-length"
            ):
                body = _unchunked(body or self._chunks())
            if self._faulty():
                return
            with s3.lock:
                if self.headers.get("If-None-Match") == "*" and self._key() in s3.blobs:
                    self._answer(412, _error("PreconditionFailed"))
                    return
                s3.blobs[self._key()] = body
            self._answer(200, ETag='"etag"')

        def _chunks(self) -> bytes:
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            return data

        def do_HEAD(self) -> None:
            self._get()

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            if "list-type" in query:
                if not self._faulty():
                    self._answer(200, _listing(s3, query.get("prefix", [""])[0], query))
                return
            self._get()

        def _get(self) -> None:
            if self._faulty():
                return
            blob = s3.blobs.get(self._key())
            if blob is None:
                self._answer(404, _error("NoSuchKey"))
                return
            header = self.headers.get("Range")
            stamp = "Wed, 01 Jul 2026 00:00:00 GMT"
            if header:
                first, _, last = header.removeprefix("bytes=").partition("-")
                part = blob[int(first) : int(last or len(blob)) + 1]
                span = f"bytes {first}-{int(first) + len(part) - 1}/{len(blob)}"
                self._answer(206, part, ETag='"etag"', Content_Range=span, Last_Modified=stamp)
            else:
                self._answer(200, blob, ETag='"etag"', Last_Modified=stamp)

    return Handler


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()


def _unchunked(body: bytes) -> bytes:
    """aws-chunked framing: `<hex>[;…]CRLF data CRLF … 0 …`."""
    head, _, rest = body.partition(b"\r\n")
    try:
        size = int(head.split(b";")[0], 16)
    except ValueError:
        return body
    return rest[:size] + (_unchunked(rest[size + 2 :]) if size else b"")


def _listing(s3: FakeS3, prefix: str, query: dict[str, list[str]]) -> bytes:
    delimiter = query.get("delimiter", [""])[0]
    keys, folders = [], set()
    for key in sorted(s3.blobs):
        if not key.startswith(prefix):
            continue
        rest = key[len(prefix) :]
        if delimiter and delimiter in rest:
            folders.add(prefix + rest.split(delimiter)[0] + delimiter)
        else:
            keys.append(key)
    contents = "".join(
        f"<Contents><Key>{escape(k)}</Key><Size>{len(s3.blobs[k])}</Size><ETag>e</ETag>"
        "<LastModified>2026-07-01T00:00:00.000Z</LastModified></Contents>"
        for k in keys
    )
    common = "".join(
        f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>" for f in sorted(folders)
    )
    return (
        f"<ListBucketResult><Name>bucket</Name><KeyCount>{len(keys) + len(folders)}</KeyCount>"
        f"<IsTruncated>false</IsTruncated>{contents}{common}</ListBucketResult>"
    ).encode()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    """A running server; the environment points to it, as the Secret pawl-store does."""
    state = FakeS3()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    state.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", state.url)
    monkeypatch.setenv("PAWL_NAMESPACE_URIS", json.dumps([f"{state.url}/"]))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()
