"""One connection, without sockets: what is answered in which order, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import pytest

from pawl.serving import counters as c
from pawl.serving.http.connection import MAX_PIPELINED

Connect = Callable[..., Any]
GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST /x HTTP/1.1", b"Host: a", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_a_request_is_answered_and_the_connection_stays(connect: Connect) -> None:
    client = connect()
    answer = client.send(post(b"hello"))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
    assert answer.endswith(b"\r\n\r\nPOST /x hello")
    client.send(GET)
    assert client.statuses == [200, 200]
    assert not client.transport.eof


def test_pipelined_requests_are_answered_in_order(connect: Connect) -> None:
    client = connect(hold=True)
    client.send(post(b"first") + post(b"second") + post(b"third"))
    first, second, third = client.requests
    client.echo(third)
    client.echo(second)
    assert client.transport.sent == b""
    client.echo(first)
    sent = client.transport.sent
    assert sent.index(b"first") < sent.index(b"second") < sent.index(b"third")


def test_a_client_that_pipelines_too_much_is_not_read_until_it_is_answered(
    connect: Connect,
) -> None:
    client = connect(hold=True)
    client.send(GET * MAX_PIPELINED)
    assert not client.transport.reading
    client.echo(client.requests[0])
    assert client.transport.reading


def test_a_client_that_does_not_read_is_not_read_and_in_the_end_cut_off(connect: Connect) -> None:
    client = connect()
    client.send(GET)
    client.connection.pause_writing()
    assert not client.transport.reading
    client.connection.check(now=perf_counter() + client.server.limits.request_timeout + 1)
    assert client.transport.aborted


def test_head_has_the_length_but_no_body(connect: Connect) -> None:
    answer = connect().send(b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"content-length: 8\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", id="close"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", id="HTTP/1.0"),
    ],
)
def test_the_connection_ends_when_the_client_wants_it(request_: bytes, connect: Connect) -> None:
    client = connect()
    assert b"\r\nconnection: close\r\n" in client.send(request_)
    assert client.transport.eof
    client.send(GET)
    assert client.statuses == [200]


def test_requests_before_a_malformed_one_are_answered_first(connect: Connect) -> None:
    client = connect(hold=True)
    client.send(post(b"good") + b"bad\r\n\r\n")
    assert client.transport.sent == b""
    client.echo(client.requests[0])
    assert client.statuses == [200, 400]


def test_a_client_that_waits_for_it_is_told_to_continue(connect: Connect) -> None:
    client = connect()
    head = post(b"body", b"Expect: 100-continue").removesuffix(b"body")
    assert client.send(head) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert client.send(b"body").endswith(b"POST /x body")


def test_continue_comes_after_the_answers_that_are_still_owed(connect: Connect) -> None:
    client = connect(hold=True)
    client.send(post(b"first") + post(b"body", b"Expect: 100-continue").removesuffix(b"body"))
    assert client.transport.sent == b""
    client.echo(client.requests[0])
    assert client.statuses == [200, 100]


def test_an_idle_connection_is_closed_but_one_that_waits_for_its_answer_is_not(
    connect: Connect,
) -> None:
    client = connect(hold=True)
    late = perf_counter() + client.server.limits.keep_alive + 1
    client.send(GET)
    client.connection.check(late)
    assert not client.transport.is_closed
    client.echo(client.requests[0])
    client.connection.check(late)
    assert client.transport.is_closed


def test_one_connection_too_many_is_turned_away(connect: Connect) -> None:
    first = connect()
    others = [connect(first.server) for _ in range(first.server.limits.max_connections)]
    assert [other.statuses for other in others] == [[], [503]]
    assert b"\r\nretry-after: 1\r\n" in others[1].transport.sent


def test_a_half_closed_client_still_gets_its_answer(connect: Connect) -> None:
    client = connect(hold=True)
    client.send(GET)
    assert client.connection.eof_received() is True
    client.echo(client.requests[0])
    assert client.statuses == [200]
    assert client.transport.eof


@pytest.mark.parametrize("data", [b"", GET[:5]])
def test_a_client_that_goes_without_a_whole_request_is_let_go(
    data: bytes, connect: Connect
) -> None:
    client = connect()
    client.send(data)
    assert not client.connection.eof_received()


def test_an_answer_for_a_client_that_is_gone_is_dropped(connect: Connect) -> None:
    client = connect(hold=True)
    client.send(GET)
    (exchange,) = client.requests
    client.connection.connection_lost(None)
    assert exchange.abandoned
    client.echo(exchange)
    assert client.transport.sent == b""


@pytest.mark.parametrize("lost", [False, True])
def test_gauges_return_to_zero(lost: bool, connect: Connect) -> None:
    client = connect(hold=True)
    client.send(GET + GET)
    mine = client.counters.mine
    assert (mine[c.IN_FLIGHT], mine[c.CONNECTIONS]) == (2, 1)
    if not lost:
        for exchange in client.requests:
            client.echo(exchange)
    client.connection.connection_lost(None)
    assert (mine[c.IN_FLIGHT], mine[c.CONNECTIONS]) == (0, 0)


@pytest.mark.parametrize(
    ("data", "closed", "eof"),
    [
        pytest.param(b"", True, False, id="idle: at once"),
        pytest.param(GET, False, True, id="busy: after the answer"),
    ],
)
def test_closing_leaves_no_request_unanswered(
    data: bytes, closed: bool, eof: bool, connect: Connect
) -> None:
    client = connect(hold=True)
    client.send(data)
    client.connection.close_when_idle()
    assert client.transport.is_closed is closed
    for exchange in client.requests:
        client.echo(exchange)
    assert client.transport.eof is eof


def test_a_server_that_retires_ends_connections_with_their_next_answer(connect: Connect) -> None:
    client = connect()
    client.server.retire()
    assert b"\r\nconnection: close\r\n" in client.send(GET)
