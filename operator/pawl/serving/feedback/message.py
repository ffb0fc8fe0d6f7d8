"""The body of a feedback request, checked.

{"feedback": [{"token": "…", "truth": "yes"}, {"token": "…", "truth": [1.5, null]}]}
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

from pawl.errors import SignatureError
from pawl.serving.errors import TooLargeError
from pawl.serving.protocol import MAX_TOKEN_ROWS, check_group, shown

MAX_ENTRIES: Final = 1000
_MAX_LABEL: Final = 1024


class Entry(NamedTuple):
    """Truth for the rows of one token; None where it is not known. `place`: in the list."""

    place: int
    token: str
    truth: list[Any]
    group: str | None


def parse_feedback(body: bytes) -> list[Entry]:
    """SignatureError says what is wrong, and where; TooLargeError beyond MAX_ENTRIES."""
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise SignatureError(f"the request body is not JSON: {error}") from None
    entries = message.get("feedback") if type(message) is dict else None
    if type(entries) is not list or not entries:
        raise SignatureError("feedback: a list with at least one token and its truth is required")
    if len(entries) > MAX_ENTRIES:
        raise TooLargeError(f"feedback: {len(entries)} entries; at most {MAX_ENTRIES} are taken")
    return [_entry(entry, index) for index, entry in enumerate(entries)]


def _entry(raw: Any, index: int) -> Entry:
    field = f"feedback[{index}]"
    if type(raw) is not dict:
        raise SignatureError(f"{field}: must be an object", field=field)
    token = raw.get("token")
    if type(token) is not str or not token:
        raise SignatureError(f"{field}.token: a string is required", field=field)
    truth = raw.get("truth")
    many = truth if type(truth) is list else [truth]
    if len(many) > MAX_TOKEN_ROWS:
        raise SignatureError(
            f"{field}.truth: a token has at most {MAX_TOKEN_ROWS} rows", field=field
        )
    for value in many:
        if isinstance(value, (dict, list)) or (type(value) is str and len(value) > _MAX_LABEL):
            raise SignatureError(f"{field}.truth: {shown(value)} is no truth", field=field)
    if all(value is None for value in many):
        raise SignatureError(f"{field}.truth: is missing", field=field)
    return Entry(index, token, many, check_group(raw.get("group"), f"{field}.group"))
