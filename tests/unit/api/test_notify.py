"""spec.notify: every event that can be chosen is told by somebody, and explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from pawl.api.notify import OCCURRENCES, Notify

ROOT = Path(__file__).parents[3]


def test_the_page_explains_every_event_and_no_other():
    text = (ROOT / "docs/notifications.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == list(OCCURRENCES)


@pytest.mark.parametrize(
    "webhook",
    [
        pytest.param("ftp://a/b", id="scheme"),
        pytest.param("https://me:secret@a/b", id="credentials"),
        pytest.param("https://a/b c", id="a space"),
    ],
)
def test_what_is_no_webhook_is_refused(webhook: str):
    with pytest.raises(ValidationError):
        Notify(webhook=webhook)
