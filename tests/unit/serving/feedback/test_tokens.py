"""What a token says, and to whom."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.serving.codec.base import Predictions, Rows
from pawl.serving.errors import TokenError
from pawl.serving.feedback.tokens import (
    MAX_TOKEN,
    NO_LABEL,
    Opener,
    Sealer,
    fingerprint,
    label_hash,
    percent,
)
from pawl.serving.monitor.memory import LABELS, VALUES
from pawl.serving.protocol import InferRequest

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
NOW = 1_790_000_000
TokenOf = Callable[..., str]


def opener(*keys: bytes) -> Opener:
    return Opener(keys or (KEY,), "churn")


def test_a_token_says_what_was_predicted(token_of: TokenOf) -> None:
    opened = opener().open(token_of("yes", group="a", weight="5"))
    assert (opened.version, opened.made, opened.kind) == ("7", NOW, LABELS)
    assert (opened.weight, opened.group) == (5, "a")
    assert opened.rows == (label_hash("yes"),)
    assert opened.classes == fingerprint(("no", "yes"))


def test_values_keep_their_precision(token_of: TokenOf) -> None:
    opened = opener().open(token_of(0.1, -1e300, classes=()))
    assert opened.kind == VALUES
    assert opened.rows == (0.1, -1e300)


@given(
    rows=st.lists(st.sampled_from(["no", "yes", None]), min_size=1, max_size=64),
    group=st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=64),
    version=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", fullmatch=True),
)
def test_any_token_is_read_as_it_was_made(
    rows: list[str | None], group: str | None, version: str, token_of: TokenOf
) -> None:
    sealed = token_of(*rows, group=group, version=version)
    opened = opener().open(sealed)
    expected = tuple(NO_LABEL if row is None else label_hash(row) for row in rows)
    assert (opened.rows, opened.group, opened.version) == (expected, group, version)


def test_the_largest_token_is_not_too_long(token_of: TokenOf) -> None:
    sealed = token_of(*[1.5] * 64, classes=(), group="\U0001f600" * 64, version="v" * 63)
    assert len(sealed) <= MAX_TOKEN
    assert len(opener().open(sealed).rows) == 64


def test_the_first_characters_name_the_token(token_of: TokenOf) -> None:
    first, second = token_of("yes"), token_of("yes")
    assert first[:16] != second[:16]
    assert urlsafe_b64decode(first[:16]) == urlsafe_b64decode(first)[:12]
    assert opener().open(first).id != opener().open(second).id


def test_nobody_without_the_key_can_read_it(token_of: TokenOf) -> None:
    assert b"secret" not in urlsafe_b64decode(token_of("yes", group="secret"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"keys": (OTHER_KEY,)}, "key", id="another key"),
        pytest.param({"model": "fraud"}, "another model", id="another model"),
    ],
)
def test_foreign_tokens_are_none(change: dict[str, Any], words: str, token_of: TokenOf) -> None:
    with pytest.raises(TokenError, match=words):
        opener().open(token_of("yes", **change))


def test_no_bit_of_it_can_be_changed(token_of: TokenOf) -> None:
    raw = urlsafe_b64decode(token_of("yes"))
    for bit in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(TokenError):
            opener().open(urlsafe_b64encode(changed).decode())


@given(
    st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: urlsafe_b64encode(raw).decode())
)
def test_any_text_is_answered(text: str) -> None:
    with pytest.raises(TokenError):
        opener().open(text)


@pytest.mark.parametrize("text", ["", "A" * (MAX_TOKEN + 4), "é", "AAAA", "A", "A" * 37])
def test_what_is_no_token_is_said(text: str) -> None:
    with pytest.raises(TokenError):
        opener().open(text)


def test_keys_are_rotated(token_of: TokenOf) -> None:
    """The first key seals, all of them open."""
    old, new = token_of("yes", keys=(KEY,)), token_of("yes", keys=(OTHER_KEY, KEY))
    assert opener(OTHER_KEY, KEY).open(old).version == "7"
    assert opener(OTHER_KEY).open(new).version == "7"
    with pytest.raises(TokenError):
        opener(OTHER_KEY).open(old)
    with pytest.raises(TokenError):
        opener(KEY).open(new)


def job(rows: int = 1) -> Any:
    """A scored request, and its reply too."""
    made = type("Job", (), {})()
    made.rows, made.request, made.headers = Rows({}, rows), InferRequest(None, [], None), {}
    made.reply = type("Reply", (), {"request": made})()
    return made


def test_only_requests_of_few_rows_get_a_token() -> None:
    sealer = Sealer((KEY,), "churn", "7", LABELS, ("no", "yes"))
    said = Predictions(None, ["no"] * 66 + ["yes"])
    none, token = sealer.seal([job(66), job(1)], said, NOW)
    assert none is None
    assert token is not None
    assert opener().open(token.decode()).rows == (label_hash("yes"),)
    assert sealer.seal([job(65)], Predictions(None, ["no"] * 65), NOW) == [None]


@pytest.mark.parametrize("kind", [LABELS, VALUES])
def test_what_cannot_be_right_or_wrong_gets_no_token(kind: int) -> None:
    sealer = Sealer((KEY,), "churn", "7", kind, ())
    assert sealer.seal([job(), job()], Predictions(), NOW) == [None, None]


def test_nonces_do_not_repeat(token_of: TokenOf) -> None:
    sealer = Sealer((KEY,), "churn", "7", LABELS, ("no", "yes"))
    said = Predictions(None, ["no"] * 500)
    tokens = [sealed for _ in range(20) for sealed in sealer.seal([job()] * 500, said, NOW)]
    assert len({sealed[:16] for sealed in tokens if sealed is not None}) == 10_000


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, 100), (b"5", 5), (b"0", 0), (b"100", 100), (b"999", 100), (b"-1", 100), (b"x", 100),
     (b"9" * 5000, 100), (b"", 100)],
)  # fmt: skip
def test_the_weight_is_what_a_router_says(header: bytes | None, expected: int) -> None:
    assert percent(header) == expected


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, 1.0, True), (1, "1", True), (True, "true", True), (True, 1, False), ("a", "A", False),
        (0.5, "0.5", True), (-1, -1.0, True),
    ],
)  # fmt: skip
def test_labels_are_compared_as_json_writes_them(left: Any, right: Any, same: bool) -> None:
    assert (label_hash(left) == label_hash(right)) is same


def test_a_token_is_plain_base64_after_translation(token_of: TokenOf) -> None:
    sealed = token_of("yes")
    assert set(sealed) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=")
    assert b64decode(sealed, altchars=b"-_", validate=True)
