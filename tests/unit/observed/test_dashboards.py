"""Dashboards ask for what is exported, and are of the form that Grafana reads."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from exported import samples
from promql import groupings, selectors

from pawl.core.manifests.dashboards import dashboards

BOARDS = dashboards()
#: Of Grafana's value formats.
UNITS = {"short", "s", "bytes", "reqps", "ops", "rowsps", "percentunit"}


def queries() -> Iterator[Any]:
    for name, board in BOARDS.items():
        for panel in board["panels"]:
            for target in panel["targets"]:
                id_ = f"{name}: {panel['title']} {target['refId']}"
                yield pytest.param(target["expr"], target.get("legendFormat", ""), id=id_)


@pytest.mark.parametrize(("expression", "legend"), list(queries()))
def test_a_query_asks_for_what_is_exported(expression: str, legend: str):
    known, asked = samples(), list(selectors(expression))
    assert asked
    for name, labels in asked:
        assert name in known, name
        assert labels <= known[name]
    labels = frozenset.intersection(*(known[name] for name, _ in asked))
    assert groupings(expression) <= labels
    assert set(re.findall(r"{{(\w+)}}", legend)) <= groupings(expression)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (package prometheus)")
def test_prometheus_takes_every_query(tmp_path: Path):
    found = {"$__rate_interval": "5m", "$namespace": "ml", "$deployment": "churn"}
    rules = []
    for number, case in enumerate(queries()):
        expression = str(case.values[0])
        for variable, value in found.items():
            expression = expression.replace(variable, value)
        rules.append({"record": f"q:{number}", "expr": expression})
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_is_of_the_form_that_grafana_reads(name: str):
    board = BOARDS[name]
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert board["schemaVersion"] == 38
    assert variables["datasource"]["type"] == "datasource"
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["type"] in ("timeseries", "stat", "table")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            used = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
            assert used <= variables.keys()


@pytest.mark.parametrize("name", BOARDS)
def test_panels_lie_beside_each_other(name: str):
    places = [panel["gridPos"] for panel in BOARDS[name]["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in itertools.combinations(places, 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )


def test_uids_are_their_own():
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("up", {"up": set()}, id="a name"),
        pytest.param('a{b="}",c!~"d"} offset 5m', {"a": {"b", "c"}}, id="matchers"),
        pytest.param("sum by (x) (rate(a[5m])) / on (y) group_left (z) b", {"a": set(), "b": set()},
                     id="groupings"),
        pytest.param("sum(a) by (x) > bool 1e3", {"a": set()}, id="a grouping behind"),
        pytest.param('label_replace(a, "x", "$1", "y", "b")', {"a": set()}, id="strings"),
        pytest.param("a and b unless (c or d)", {name: set() for name in "abcd"}, id="sets"),
    ],
)  # fmt: skip
def test_what_an_expression_asks_for(expression: str, expected: dict[str, set[str]]):
    assert {name: set(labels) for name, labels in selectors(expression)} == expected


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("sum(a", id="open"),
        pytest.param("a}", id="never opened"),
        pytest.param("a[5m)", id="crossed"),
        pytest.param("a; b", id="no sign of PromQL"),
    ],
)
def test_what_is_no_promql_is_refused(expression: str):
    with pytest.raises(ValueError, match=r"not PromQL|missing|opening"):
        list(selectors(expression))
