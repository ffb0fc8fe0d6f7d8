"""HTTP on one connection, without sockets: what is answered, in which order, and what is
refused."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise
from time import perf_counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pawl.serving import counters as c
from pawl.serving.counters import Counters
from pawl.serving.http.connection import LINGER_SECONDS, MAX_PIPELINED, Connection
from pawl.serving.http.exchange import Exchange
from pawl.serving.http.incoming import MAX_HEAD_BYTES, MAX_INCOMPLETE_HEAD
from pawl.serving.http.server import HttpLimits, HttpServer

LIMITS = HttpLimits(max_body_bytes=1000, max_connections=2, request_timeout=30, keep_alive=75)
GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


class FakeTransport(asyncio.Transport):
    """Remembers what was done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.eof = self.is_closed = self.aborted = False
        self.reading = True

    def write(self, data: Any) -> None:
        assert not self.is_closed
        self.sent += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof = True

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Client:
    """One connection whose requests are echoed, or kept when `hold` is set."""

    def __init__(self, server: HttpServer | None = None, *, hold: bool = False) -> None:
        self.requests: list[Exchange] = []
        self.counters = Counters()
        self.server = server or HttpServer(self._handle, self.counters, LIMITS)
        self._hold = hold
        self.transport = FakeTransport()
        self.connection = Connection(self.server)
        self.connection.connection_made(self.transport)

    def _handle(self, exchange: Exchange) -> None:
        self.requests.append(exchange)
        if not self._hold:
            self.echo(exchange)

    @staticmethod
    def echo(exchange: Exchange) -> None:
        exchange.respond(200, b"%s %s %s" % (exchange.method, exchange.path, exchange.body))

    def send(self, *pieces: bytes) -> bytes:
        """Sends the pieces; gives all that was answered so far."""
        for piece in pieces:
            self.connection.data_received(piece)
        return self.transport.sent

    @property
    def statuses(self) -> list[int]:
        return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.transport.sent)]


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST /x HTTP/1.1", b"Host: a", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_a_request_is_answered_and_the_connection_stays() -> None:
    client = Client()
    answer = client.send(post(b"hello"))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
    assert answer.endswith(b"\r\n\r\nPOST /x hello")
    client.send(GET)
    assert client.statuses == [200, 200]
    assert not client.transport.eof


STREAM = (
    post(b"one")
    + b"POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n"
    + b"GET /two HTTP/1.1\r\nHost: a\r\nX-Request-Id: 42\r\n\r\n"
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_the_pieces_in_which_requests_arrive_do_not_matter(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    whole = Client().send(STREAM)
    pieces = [STREAM[a:b] for a, b in pairwise(edges)]
    assert Client().send(*pieces) == whole
    assert whole.count(b"HTTP/1.1 200 OK") == 3
    assert b"POST /chunked abcdefg" in whole


def test_byte_by_byte() -> None:
    assert Client().send(*(STREAM[i : i + 1] for i in range(len(STREAM)))) == Client().send(STREAM)


def test_pipelined_requests_are_answered_in_order() -> None:
    client = Client(hold=True)
    client.send(post(b"first") + post(b"second") + post(b"third"))
    first, second, third = client.requests
    Client.echo(third)
    Client.echo(second)
    assert client.transport.sent == b""
    Client.echo(first)
    sent = client.transport.sent
    assert sent.index(b"first") < sent.index(b"second") < sent.index(b"third")


def test_a_client_that_pipelines_too_much_is_not_read_until_it_is_answered() -> None:
    client = Client(hold=True)
    client.send(GET * MAX_PIPELINED)
    assert not client.transport.reading
    Client.echo(client.requests[0])
    assert client.transport.reading


def test_a_client_that_does_not_read_is_not_read_and_in_the_end_cut_off() -> None:
    client = Client()
    client.send(GET)
    client.connection.pause_writing()
    assert not client.transport.reading
    client.connection.check(now=perf_counter() + LIMITS.request_timeout + 1)
    assert client.transport.aborted


def test_the_request_id_comes_back_shortened() -> None:
    client = Client()
    answer = client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: " + b"i" * 300 + b"\r\n\r\n")
    assert b"\r\nx-request-id: " + b"i" * 256 + b"\r\n" in answer


def test_head_has_the_length_but_no_body() -> None:
    answer = Client().send(b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"content-length: 8\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", id="close"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", id="HTTP/1.0"),
    ],
)
def test_the_connection_ends_when_the_client_wants_it(request_: bytes) -> None:
    client = Client()
    assert b"\r\nconnection: close\r\n" in client.send(request_)
    assert client.transport.eof
    client.send(GET)
    assert client.statuses == [200]


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
def test_what_is_wrong_is_refused_and_ends_the_connection(data: bytes, status: int) -> None:
    client = Client()
    client.send(data)
    assert client.statuses == [status]
    assert b'\r\n\r\n{"error":"' in client.transport.sent
    assert client.transport.eof
    assert client.requests == []
    client.send(GET)
    assert client.statuses == [status], "nothing after a refused request is understood"
    client.connection.check(now=perf_counter() + LINGER_SECONDS + 1)
    assert client.transport.is_closed


def test_a_head_without_end_is_refused() -> None:
    client = Client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
    for _ in range(MAX_INCOMPLETE_HEAD // 1000 + 1):
        client.send(b"x" * 1000)
    assert client.statuses == [431]


def test_requests_before_a_malformed_one_are_answered_first() -> None:
    client = Client(hold=True)
    client.send(post(b"good") + b"bad\r\n\r\n")
    assert client.transport.sent == b""
    Client.echo(client.requests[0])
    assert client.statuses == [200, 400]


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_a_connection(data: bytes) -> None:
    client = Client()
    client.send(data)
    assert set(client.statuses) <= {200, 400, 413, 417, 431, 501}


def test_a_client_that_waits_for_it_is_told_to_continue() -> None:
    client = Client()
    head = post(b"body", b"Expect: 100-continue").removesuffix(b"body")
    assert client.send(head) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert client.send(b"body").endswith(b"POST /x body")


def test_continue_comes_after_the_answers_that_are_still_owed() -> None:
    client = Client(hold=True)
    client.send(post(b"first") + post(b"body", b"Expect: 100-continue").removesuffix(b"body"))
    assert client.transport.sent == b""
    Client.echo(client.requests[0])
    assert client.statuses == [200, 100]


def test_a_body_that_is_too_large_is_refused_before_it_is_sent() -> None:
    client = Client()
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
def test_a_request_that_arrives_too_slowly_is_refused(data: bytes) -> None:
    client = Client()
    client.send(data)
    client.connection.check(now=perf_counter() + LIMITS.request_timeout - 1)
    assert client.statuses == []
    client.connection.check(now=perf_counter() + LIMITS.request_timeout + 1)
    assert client.statuses == [408]


def test_an_idle_connection_is_closed_but_one_that_waits_for_its_answer_is_not() -> None:
    client = Client(hold=True)
    late = perf_counter() + LIMITS.keep_alive + 1
    client.send(GET)
    client.connection.check(late)
    assert not client.transport.is_closed
    Client.echo(client.requests[0])
    client.connection.check(late)
    assert client.transport.is_closed


def test_one_connection_too_many_is_turned_away() -> None:
    first = Client()
    others = [Client(first.server) for _ in range(LIMITS.max_connections)]
    assert [other.statuses for other in others] == [[], [503]]
    assert b"\r\nretry-after: 1\r\n" in others[1].transport.sent


def test_large_bodies_share_a_budget() -> None:
    first = Client()
    limits = LIMITS
    first.server.buffered(limits.max_buffered_bytes - 10)
    body = post(b"x" * 100)
    first.send(body)
    assert first.statuses == [503]
    first.server.buffered(-limits.max_buffered_bytes + 10)
    second = Client(first.server)
    second.send(body)
    assert second.statuses == [200]


def test_a_half_closed_client_still_gets_its_answer() -> None:
    client = Client(hold=True)
    client.send(GET)
    assert client.connection.eof_received() is True
    Client.echo(client.requests[0])
    assert client.statuses == [200]
    assert client.transport.eof


@pytest.mark.parametrize("data", [b"", GET[:5]])
def test_a_client_that_goes_without_a_whole_request_is_let_go(data: bytes) -> None:
    client = Client()
    client.send(data)
    assert not client.connection.eof_received()


def test_an_answer_for_a_client_that_is_gone_is_dropped() -> None:
    client = Client(hold=True)
    client.send(GET)
    (exchange,) = client.requests
    client.connection.connection_lost(None)
    assert exchange.abandoned
    Client.echo(exchange)
    assert client.transport.sent == b""


@pytest.mark.parametrize("lost", [False, True])
def test_gauges_return_to_zero(lost: bool) -> None:
    client = Client(hold=True)
    client.send(GET + GET)
    mine = client.counters.mine
    assert (mine[c.IN_FLIGHT], mine[c.CONNECTIONS]) == (2, 1)
    if not lost:
        for exchange in client.requests:
            Client.echo(exchange)
    client.connection.connection_lost(None)
    assert (mine[c.IN_FLIGHT], mine[c.CONNECTIONS]) == (0, 0)


@pytest.mark.parametrize(
    ("data", "closed", "eof"),
    [
        pytest.param(b"", True, False, id="idle: at once"),
        pytest.param(GET, False, True, id="busy: after the answer"),
    ],
)
def test_closing_leaves_no_request_unanswered(data: bytes, closed: bool, eof: bool) -> None:
    client = Client(hold=True)
    client.send(data)
    client.connection.close_when_idle()
    assert client.transport.is_closed is closed
    for exchange in client.requests:
        Client.echo(exchange)
    assert client.transport.eof is eof


def test_a_server_that_retires_ends_connections_with_their_next_answer() -> None:
    client = Client()
    client.server.retire()
    assert b"\r\nconnection: close\r\n" in client.send(GET)


def test_an_unexpected_error_is_not_hidden() -> None:
    def broken(exchange: Exchange) -> None:
        raise RuntimeError("bug")

    client = Client(HttpServer(broken, Counters(), LIMITS))
    with pytest.raises(RuntimeError, match="bug"):
        client.send(GET)
