"""What the chart adds for a Prometheus Operator and a Grafana, where it is asked to."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "helm"))

import render

from pawl.core.manifests.alerts import Limits, monitors, rule_file
from pawl.core.manifests.dashboards import dashboards

FLAGS = ("podMonitors", "rules", "dashboards")


def made(kind: str, values: dict[str, Any] | None = None, **monitoring: Any) -> list[Any]:
    asked = {"monitoring": {**dict.fromkeys(FLAGS, True), **monitoring}}
    return [item for item in render.objects({**asked, **(values or {})}) if item["kind"] == kind]


def test_nothing_is_added_unasked():
    added = {"PodMonitor", "PrometheusRule", "ConfigMap"}
    assert not added & {item["kind"] for item in render.objects()}


@pytest.mark.parametrize("flag", FLAGS)
def test_each_can_be_had_alone(flag: str):
    others = {other: False for other in FLAGS if other != flag}
    found = [bool(made(kind, **others)) for kind in ("PodMonitor", "PrometheusRule", "ConfigMap")]
    assert found == [flag == other for other in FLAGS]


def test_rules_and_dashboards_are_those_of_the_command_line():
    (rules,), (maps,) = made("PrometheusRule"), made("ConfigMap")
    assert rules["spec"] == rule_file(Limits())
    found = {name: json.loads(text) for name, text in maps["data"].items()}
    assert found == {f"pawl-{name}": dashboard for name, dashboard in dashboards().items()}


def test_links_lead_to_the_runbook_that_is_named():
    (rules,) = made("PrometheusRule", runbook="https://wiki.example/pawl")
    assert rules["spec"] == rule_file(Limits(runbook="https://wiki.example/pawl"))


def test_pods_are_scraped_where_the_operator_watches():
    def scopes(values: dict[str, Any]) -> dict[str, Any]:
        return {
            item["metadata"]["name"]: item["spec"]["namespaceSelector"]
            for item in made("PodMonitor", values)
        }

    own, named = {"matchNames": ["pawl-system"]}, {"matchNames": ["ml", "shop"]}
    every = {"any": True}
    assert scopes({}) == {"pawl-servers": every, "pawl-routers": every, "pawl-operator": own}
    assert scopes({"namespaces": ["ml", "shop"]}) == {
        "pawl-servers": named, "pawl-routers": named, "pawl-operator": own,
    }  # fmt: skip


def test_the_operator_is_found_by_the_labels_and_the_port_of_its_pods():
    monitor = next(m for m in made("PodMonitor") if m["metadata"]["name"] == "pawl-operator")
    (deployment,) = made("Deployment")
    pod = deployment["spec"]["template"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (operator,) = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in operator["ports"]}
    address = next(e["value"] for e in operator["env"] if e["name"] == "PAWL_METRICS_ADDRESS")
    assert address.endswith(f":{ports[endpoint['port']]}")


def test_the_default_name_is_what_pawl_alerts_looks_for():
    found = dict(monitors(Limits()))["operator"]["selector"]["matchLabels"]
    monitor = next(m for m in made("PodMonitor") if m["metadata"]["name"] == "pawl-operator")
    assert monitor["spec"]["selector"]["matchLabels"] == found


def test_a_prometheus_finds_them_by_its_labels():
    for item in (*made("PodMonitor", labels={"release": "prom"}),
                 *made("PrometheusRule", labels={"release": "prom"})):  # fmt: skip
        assert item["metadata"]["labels"]["release"] == "prom"
    (maps,) = made("ConfigMap")
    assert maps["metadata"]["labels"]["grafana_dashboard"] == "1"
