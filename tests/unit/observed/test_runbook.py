"""Every alert has a section of docs/runbook.md with three commands, and every section an alert."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

sys.path.insert(0, str(Path(__file__).parent))

from exported import ROOT, samples
from promql import groupings, selectors

from pawl.cli import command_line
from pawl.core.manifests.alerts import Limits, rule_file

PAGE = (ROOT / "docs/runbook.md").read_text()
SECTIONS = dict(re.findall(r"(?ms)^## (\w+)\n(.*?)(?=^##? |\Z)", PAGE))
RULES: list[dict[str, Any]] = [
    rule for group in rule_file(Limits())["groups"] for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}


def commands(section: str) -> list[str]:
    (block,) = re.findall(r"(?ms)^```sh\n(.*?)^```", section)
    return block.splitlines()


def test_alerts_and_sections_are_the_same():
    assert sorted(SECTIONS) == sorted(alert["alert"] for alert in ALERTS)


def test_alerts_and_their_table_are_the_same():
    told = re.findall(r"(?m)^\| `(Pawl\w+)` \|", (ROOT / "docs/alerts.md").read_text())
    assert sorted(told) == sorted(alert["alert"] for alert in ALERTS)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_has_three_commands_of_tools_that_are_there(name: str):
    found = commands(SECTIONS[name])
    assert len(found) == 3
    for command in found:
        tool, verb, *_ = shlex.split(command)
        assert tool in ("kubectl", "pawl")
        if tool == "pawl":
            assert verb in typer.main.get_command(command_line()).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_leads_to_its_section_and_names_no_host(alert: dict[str, Any]):
    link = alert["annotations"]["runbook_url"]
    assert link == f"docs/runbook.md#{alert['alert'].lower()}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_what_is_exported(rule: dict[str, Any]):
    known, labels_of_all = samples(), frozenset[str]()
    for name, labels in selectors(rule["expr"]):
        if name not in RECORDED:
            assert name in known
            assert labels <= known[name]
            labels_of_all |= known[name]
    if "alert" in rule and labels_of_all:
        assert groupings(rule["expr"]) <= labels_of_all
