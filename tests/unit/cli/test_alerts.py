"""`pawl alerts`: what it prints, and what it refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from commandline import pawl as run

from pawl.errors import UserError


def pawl(*words: str) -> list[Any]:
    return list(yaml.safe_load_all(run("alerts", *words)))


def expressions(file: Any) -> dict[str, str]:
    rules = [rule for group in file["groups"] for rule in group["rules"]]
    return {rule.get("record") or rule["alert"]: rule["expr"] for rule in rules}


def test_all_three_kinds_of_pods_are_scraped():
    *monitors, rule = pawl()
    assert [item["kind"] for item in monitors] == ["PodMonitor"] * 3
    assert rule["kind"] == "PrometheusRule"
    scraped = {
        item["metadata"]["name"]: item["spec"]["podMetricsEndpoints"][0] for item in monitors
    }
    assert {name: (end["port"], end["path"]) for name, end in scraped.items()} == {
        "pawl-servers": ("http", "/metrics"),
        "pawl-routers": ("state", "/stats/prometheus"),
        "pawl-operator": ("metrics", "/metrics"),
    }
    assert scraped["pawl-operator"]["honorLabels"]  # its namespace is that of the object


def test_servers_are_scraped_with_the_labels_that_the_rules_sum_by():
    monitor, *_, rule = pawl()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    named = {part["targetLabel"] for part in endpoint["relabelings"]}
    summed = re.search(r"sum by \(([^)]*)\)", expressions(rule["spec"])["PawlServerErrors"])
    assert summed is not None
    assert {"namespace", *named} == set(summed[1].split(", "))


def test_a_rule_file_has_the_rules_alone():
    (plain,) = pawl("--plain")
    assert plain == pawl()[-1]["spec"]


def test_one_namespace_is_the_only_one_that_is_looked_at():
    *monitors, rule = pawl("-n", "ml")
    for monitor in monitors:
        assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["ml"]}
        assert monitor["metadata"]["name"] != "pawl-operator"
    assert rule["metadata"]["namespace"] == "ml"
    text = "\n".join(expressions(rule["spec"]).values())
    selectors = re.findall(r"\w(\{[^}]*\})", text)
    assert len(selectors) == 14
    assert all('namespace="ml"' in selector for selector in selectors)


def test_links_lead_to_the_runbook_that_is_named():
    (plain,) = pawl("--plain", "--runbook", "../runbook")
    links = {
        rule["annotations"]["runbook_url"]
        for group in plain["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    assert "../runbook#pawlrolledback" in links
    assert all(link.startswith("../runbook#pawl") for link in links)


def test_limits_are_taken_over():
    (plain,) = pawl("--plain", "--window", "1d", "--psi", "0.3", "--min-rows", "900")
    found = expressions(plain)
    assert "[1d]" in found["pawl:feature_rows:window"]
    assert "> 0.3" in found["PawlFeatureDrift"]
    assert "900)" in found["PawlFeatureDrift"]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("--window", "1 hour"), id="no duration"),
        pytest.param(("--window", "0m"), id="no time"),
        pytest.param(("-n", 'ml"} or {x="'), id="no namespace"),
    ],
)
def test_what_prometheus_would_not_take_is_refused(words: tuple[str, ...]):
    with pytest.raises(UserError):
        pawl(*words)
