"""docs/events.md tells every reason of an event, and no others; the code uses each."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from exported import ROOT

from pawl.api.notify import OCCURRENCES
from pawl.core.reasons import REASONS

PAGE = (ROOT / "docs/events.md").read_text()
ROWS = re.findall(r"(?m)^\| (`[^|]*`) \|([^|]*)\|", PAGE)


def told(mark: str = "") -> set[str]:
    return {
        name for names, marks in ROWS if mark in marks for name in re.findall(r"`(\w+)`", names)
    }


@cache
def used() -> set[str]:
    """Every string of the code that decides and carries out, the list itself aside."""
    return {
        node.value
        for folder in ("core", "control", "artifacts")
        for path in (ROOT / "operator/pawl" / folder).rglob("*.py")
        if path.name != "reasons.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_reason_is_documented_and_no_other():
    """That no other reason is told is the type checker's to say: `Event.reason` is a `Reason`."""
    assert told() == set(REASONS)


def test_what_webhooks_may_be_told_is_marked():
    assert told("✉") == set(OCCURRENCES)


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_is_used(reason: str):
    assert reason in used()


def test_the_list_has_no_reason_twice():
    assert len(REASONS) == len(set(REASONS))
