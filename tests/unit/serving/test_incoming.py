"""What arrives on a connection: understood however it is cut, or refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from time import perf_counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pawl.serving.counters import Counters
from pawl.serving.http.connection import LINGER_SECONDS
from pawl.serving.http.exchange import Exchange
from pawl.serving.http.incoming import MAX_HEAD_BYTES, MAX_INCOMPLETE_HEAD
from pawl.serving.http.server import HttpServer

Connect = Callable[..., Any]
GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST /x HTTP/1.1", b"Host: a", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


STREAM = (
    post(b"one")
    + b"POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n"
    + b"GET /two HTTP/1.1\r\nHost: a\r\nX-Request-Id: 42\r\n\r\n"
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_the_pieces_in_which_requests_arrive_do_not_matter(
    cuts: list[int], connect: Connect
) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    whole = connect().send(STREAM)
    pieces = [STREAM[a:b] for a, b in pairwise(edges)]
    assert connect().send(*pieces) == whole
    assert whole.count(b"HTTP/1.1 200 OK") == 3
    assert b"POST /chunked abcdefg" in whole


def test_byte_by_byte(connect: Connect) -> None:
    assert connect().send(*(STREAM[i : i + 1] for i in range(len(STREAM)))) == connect().send(
        STREAM
    )


def test_the_request_id_comes_back_shortened(connect: Connect) -> None:
    client = connect()
    answer = client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: " + b"i" * 300 + b"\r\n\r\n")
    assert b"\r\nx-request-id: " + b"i" * 256 + b"\r\n" in answer


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", 400, id="TLS"),
        pytest.param(b"GET\r\n\r\n", 400, id="no path"),
        pytest.param(b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="unknown method"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no host"),
        pytest.param(b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400, id="HTTP/2.0"),
        pytest.param(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, id="space before colon"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", 400, id="NUL in header"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400, id="bare LF"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
            400,
            id="two lengths",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            id="length and chunked: request smuggling",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400, id="negative length"
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
            id="chunk size",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413, id="announced"
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n"
            + b"x" * 1001,
            413,
            id="chunked, too large",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: tea\r\n\r\n",
            417,
            id="expectation",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
            501,
            id="upgrade",
        ),
        pytest.param(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501, id="connect"),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n",
            431,
            id="long header",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431, id="many headers"
        ),
        pytest.param(
            b"GET /" + b"x" * (MAX_HEAD_BYTES + 1) + b" HTTP/1.1\r\nHost: a\r\n\r\n",
            431,
            id="long path",
        ),
    ],
)
def test_what_is_wrong_is_refused_and_ends_the_connection(
    data: bytes, status: int, connect: Connect
) -> None:
    client = connect()
    client.send(data)
    assert client.statuses == [status]
    assert b'\r\n\r\n{"error":"' in client.transport.sent
    assert client.transport.eof
    assert client.requests == []
    client.send(GET)
    assert client.statuses == [status], "nothing after a refused request is understood"
    client.connection.check(now=perf_counter() + LINGER_SECONDS + 1)
    assert client.transport.is_closed


def test_a_head_without_end_is_refused(connect: Connect) -> None:
    client = connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
    for _ in range(MAX_INCOMPLETE_HEAD // 1000 + 1):
        client.send(b"x" * 1000)
    assert client.statuses == [431]


@settings(deadline=None)
@given(data=st.binary(max_size=300))
def test_no_bytes_break_a_connection(data: bytes, connect: Connect) -> None:
    client = connect()
    client.send(data)
    assert set(client.statuses) <= {200, 400, 413, 417, 431, 501}


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(connect: Connect) -> None:
    client = connect()
    client.send(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\nExpect: 100-continue\r\n\r\n"
    )
    assert client.statuses == [413]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HT", id="head"),
        pytest.param(post(b"body")[:-1], id="body"),
    ],
)
def test_a_request_that_arrives_too_slowly_is_refused(data: bytes, connect: Connect) -> None:
    client = connect()
    client.send(data)
    client.connection.check(now=perf_counter() + client.server.limits.request_timeout - 1)
    assert client.statuses == []
    client.connection.check(now=perf_counter() + client.server.limits.request_timeout + 1)
    assert client.statuses == [408]


def test_large_bodies_share_a_budget(connect: Connect) -> None:
    first = connect()
    limits = first.server.limits
    first.server.buffered(limits.max_buffered_bytes - 10)
    body = post(b"x" * 100)
    first.send(body)
    assert first.statuses == [503]
    first.server.buffered(-limits.max_buffered_bytes + 10)
    second = connect(first.server)
    second.send(body)
    assert second.statuses == [200]


def test_an_unexpected_error_is_not_hidden(connect: Connect) -> None:
    def broken(exchange: Exchange) -> None:
        raise RuntimeError("bug")

    client = connect(HttpServer(broken, Counters(), connect().server.limits))
    with pytest.raises(RuntimeError, match="bug"):
        client.send(GET)
