"""Paths, methods and codes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pawl.errors import IntegrityError, SignatureError
from pawl.serving.errors import (
    EngineError,
    NotReadyError,
    NotServedError,
    OverloadedError,
    TooLargeError,
)
from pawl.serving.http.exchange import Exchange
from pawl.serving.http.routes import Router, fail


class FakeConnection:
    lost = False
    date = b"now"

    def answered(self, exchange: Exchange) -> None:
        """Called once, by Exchange.respond."""


class FakeDataplane:
    """Answers at once, or raises what it is told to."""

    model, version, ready = "churn", "7", True

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def check(self, model: str, version: str | None) -> None:
        if (model, version or "7") != ("churn", "7"):
            raise NotServedError(f"{model} {version} is not served here")

    def server_metadata(self) -> bytes:
        return b'"server"'

    def model_metadata(self) -> bytes:
        return b'"model"'

    def metrics(self) -> bytes:
        return b"up 1\n"

    def feedback(self, body: bytes) -> bytes:
        if self._error is not None:
            raise self._error
        return b'{"accepted":1}'

    def infer(self, body: bytes, reply: Any) -> None:
        if self._error is not None:
            raise self._error
        reply.send(body)


def ask(
    method: bytes,
    path: bytes,
    *,
    dataplane: Any = None,
    **headers: bytes,
) -> tuple[int, bytes, bytes]:
    """Status, head and body of the answer."""
    exchange = Exchange(FakeConnection())  # type: ignore[arg-type]
    exchange.method, exchange.path, exchange.body = method, path, b'"body"'
    exchange.headers = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    Router(dataplane or FakeDataplane()).handle(exchange)
    assert exchange.answer is not None
    head, _, body = exchange.answer.partition(b"\r\n\r\n")
    return exchange.status, head, body


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        (b"GET", b"/v2", b'"server"'),
        (b"GET", b"/v2/", b'"server"'),
        (b"GET", b"/v2/health/live", b'{"live":true}'),
        (b"GET", b"/v2/health/ready", b'{"ready":true}'),
        (b"GET", b"/v2/health/ready?verbose", b'{"ready":true}'),
        (b"GET", b"/v2/models/churn", b'"model"'),
        (b"GET", b"/v2/models/churn/versions/7", b'"model"'),
        (b"GET", b"/v2/models/churn/ready", b'{"name":"churn","ready":true}'),
        (b"GET", b"/v2/models/churn/versions/7/ready", b'{"name":"churn","ready":true}'),
        (b"POST", b"/v2/models/churn/infer", b'"body"'),
        (b"POST", b"/v2/models/ch%75rn/infer", b'"body"'),
        (b"POST", b"/v2/models/churn/versions/7/infer", b'"body"'),
        (b"POST", b"/v2/models/churn/feedback", b'{"accepted":1}'),
        (b"POST", b"/v2/models/churn/feedback?token=abc", b'{"accepted":1}'),
        (b"POST", b"/v2/models/churn/versions/7/feedback", b'{"accepted":1}'),
        (b"GET", b"/metrics", b"up 1\n"),
        (b"HEAD", b"/v2/health/ready", b""),
    ],
)
def test_paths_of_the_protocol(method: bytes, path: bytes, body: bytes) -> None:
    assert ask(method, path)[::2] == (200, body)


@pytest.mark.parametrize(
    "path",
    [b"/v2/health/ready", b"/v2/models/churn/ready", b"/v2/models/churn/versions/7/ready"],
)
def test_not_ready_is_503(path: bytes) -> None:
    dataplane = FakeDataplane()
    dataplane.ready = False
    status, _, body = ask(b"GET", path, dataplane=dataplane)
    assert status == 503
    assert orjson.loads(body)["ready"] is False


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (b"/", "there is nothing at"),
        (b"/v2/models", "there is nothing at"),
        (b"/v2/models/other/infer", "other None is not served"),
        (b"/v2/models/churn/versions/8/infer", "churn 8 is not served"),
        (b"/v2/models/churn/explain", "there is nothing at"),
        (b"/v2/models/churn/versions/7/../8", "there is nothing at"),
        (b"/%ff", "there is nothing at"),
    ],
)
def test_an_unknown_path_says_why(path: bytes, words: str) -> None:
    status, _, body = ask(b"POST", path)
    assert status == 404
    assert words in orjson.loads(body)["error"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        (b"GET", b"/v2/models/churn/infer", b"POST"),
        (b"POST", b"/v2/health/ready", b"GET, HEAD"),
        (b"DELETE", b"/v2/models/churn", b"GET, HEAD"),
    ],
)
def test_another_method_is_405_with_those_that_are_allowed(
    method: bytes, path: bytes, allowed: bytes
) -> None:
    status, head, _ = ask(method, path)
    assert status == 405
    assert b"\r\nallow: " + allowed in head


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"content_type": b"application/json"}, 200, id="json"),
        pytest.param({"content_type": b"Application/JSON; charset=utf-8"}, 200, id="parameters"),
        pytest.param({}, 200, id="nothing said"),
        pytest.param({"content_type": b"text/csv"}, 415, id="csv"),
        pytest.param({"content_type": b"application/octet-stream"}, 415, id="octets"),
        pytest.param({"inference_header_content_length": b"9"}, 415, id="binary extension"),
        pytest.param({"content_encoding": b"gzip"}, 415, id="compressed"),
    ],
)
def test_only_plain_json_is_read(headers: dict[str, bytes], status: int) -> None:
    assert ask(b"POST", b"/v2/models/churn/infer", **headers)[0] == status


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SignatureError("a: wrong", field="a"), 400),
        (NotServedError("other"), 404),
        (TooLargeError("rows"), 413),
        (OverloadedError("queue"), 429),
        (EngineError("failed"), 500),
        (NotReadyError("loading"), 503),
        (IntegrityError("bytes"), 500),
    ],
)
def test_each_error_has_its_code_and_its_words(error: Exception, status: int) -> None:
    found, head, body = ask(b"POST", b"/v2/models/churn/infer", dataplane=FakeDataplane(error))
    assert found == status
    assert orjson.loads(body) == {"error": str(error)}
    assert (b"\r\nretry-after: 1" in head) is (status in (429, 503))


def test_an_error_that_is_not_ours_keeps_its_text_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    exchange = Exchange(FakeConnection())  # type: ignore[arg-type]
    fail(exchange, RuntimeError("secret detail"))
    assert exchange.status == 500
    assert b"secret detail" not in (exchange.answer or b"")
    assert "secret detail" in caplog.text
