"""Hostile inference bodies, beside those of tests/unit/serving: sizes, slow clients and malformed
HTTP in test_incoming and test_connection, shapes and datatypes in test_protocol and test_tensor."""

from __future__ import annotations

import pytest

from pawl.errors import SignatureError
from pawl.serving.protocol import parse_infer


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="deep lists"),
        pytest.param(b'{"inputs":' * 5_000 + b"1" + b"}" * 5_000, id="deep objects"),
        pytest.param(b'{"inputs": [1e999]}', id="a number beyond all"),
        pytest.param(b'{"inputs": [Infinity]}', id="Infinity is no JSON"),
        pytest.param(b'{"inputs": "' + b"\xff\xfe" + b'"}', id="no UTF-8"),
        pytest.param(b'{"inputs": "\\ud800"}', id="half a character"),
        pytest.param(b'{"inputs": [' + b"9" * 5_000 + b"]}", id="a number of 5,000 digits"),
        pytest.param(b'{"inputs": {"__proto__": {}}}', id="an object for a list"),
        pytest.param(b'{"inputs": [{"name": {"$gt": ""}}]}', id="a query for a name"),
        pytest.param(b'{"inputs": [{"name": "' + b"n" * 100_000 + b'"}]}', id="a long name"),
        pytest.param(b"\x80\x04\x95\x0b\x00\x00\x00", id="a pickle"),
        pytest.param(b"\x1f\x8b" + b"\x00" * 99, id="gzip"),
    ],
)
def test_each_is_the_clients_error_in_a_short_sentence(body: bytes):
    with pytest.raises(SignatureError) as caught:
        parse_infer(body)
    assert len(str(caught.value)) < 400
