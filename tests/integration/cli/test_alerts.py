"""The rules of `pawl alerts`, as promtool checks and runs them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from pawl.cli import app
from pawl.stats.drift.divergences import psi
from pawl.stats.drift.layout import Ragged

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool (Debian package prometheus)"
)
MINUTES = 120
TARGET = {"namespace": "ml", "deployment": "churn", "model": "churn", "version": "7"}
REFERENCE = {"(-inf, 1]": 4000, "(1, 2]": 4000, "(2, inf)": 2000, "empty": 0}
SAME = {"(-inf, 1]": 8, "(1, 2]": 8, "(2, inf)": 4, "empty": 0}
MOVED = {"(-inf, 1]": 2, "(1, 2]": 4, "(2, inf)": 13, "empty": 1}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(CliRunner().invoke(app, ["alerts", "--plain"]).output)
    return path


def series(name: str, values: str, **labels: str) -> dict[str, str]:
    inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return {"series": f"{name}{{{inside}}}", "values": values}


def feature(name: str, per_minute: dict[str, int]) -> list[dict[str, str]]:
    """Two pods count half a feature's rows each; the baseline is told by both."""
    found = []
    for pod in ("a", "b"):
        labels = {**TARGET, "pod": pod, "feature": name}
        for cell, count in {**per_minute, "missing": 70, "outOfRange": 9}.items():
            counted = f"0+{count / 2:g}x{MINUTES}"
            known = f"{REFERENCE.get(cell, 55)}x{MINUTES}"
            found += [
                series("pawl_feature_rows_total", counted, **labels, cell=cell),
                series("pawl_feature_reference", known, **labels, cell=cell),
            ]
    return found


def prediction(per_minute: dict[str, int]) -> list[dict[str, str]]:
    labels = {**TARGET, "pod": "a"}
    return [
        made
        for cell, count in per_minute.items()
        for made in (
            series("pawl_prediction_rows_total", f"0+{count}x{MINUTES}", **labels, cell=cell),
            series(
                "pawl_prediction_reference", f"{REFERENCE[cell]}x{MINUTES}", **labels, cell=cell
            ),
        )
    ]


def errors(failed: int, fine: int) -> list[dict[str, str]]:
    name, labels = "pawl_server_requests_total", {**TARGET, "pod": "a", "operation": "infer"}
    return [
        series(name, f"0+{failed}x{MINUTES}", **labels, code="503"),
        series(name, f"0+{fine}x{MINUTES}", **labels, code="200"),
    ]


def told(tmp_path: Path, rules: Path, **test: Any) -> str:
    """What promtool says of a test; empty when it holds."""
    body = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", **test}],
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(body))
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def firing(alert: str, at: str, *names: str) -> list[dict[str, Any]]:
    """That the alert fires for these features and no others."""
    expression = f'count by (feature) (ALERTS{{alertname="{alert}",alertstate="firing"}})'
    samples = [{"labels": f'{{feature="{name}"}}', "value": 1} for name in names]
    return [{"expr": expression, "eval_time": at, "exp_samples": samples}]


def test_promtool_takes_the_rules(rules: Path):
    done = subprocess.run(
        ["promtool", "check", "rules", str(rules)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "9 rules found" in done.stdout


def test_the_psi_is_that_of_the_operator(tmp_path: Path, rules: Path):
    """Over an hour: sixty times what a minute brings."""
    cells = [cell for cell in REFERENCE if MOVED[cell] or REFERENCE[cell]]
    window = np.array([60.0 * MOVED[cell] for cell in cells])
    reference = np.array([float(REFERENCE[cell]) for cell in cells])
    expected = float(psi(Ragged.sized([len(cells)]), window, reference)[0])
    labels = '{namespace="ml",deployment="churn",model="churn",version="7",feature="age"}'
    checks = [
        {
            "expr": f"abs({name} - {value!r}) < bool 1e-9",
            "eval_time": "90m",
            "exp_samples": [{"labels": labels, "value": 1}],
        }
        for name, value in (
            ("pawl:feature_psi:window", expected),
            ("pawl:feature_samples:window", float(window.sum())),
        )
    ]
    assert told(tmp_path, rules, input_series=feature("age", MOVED), promql_expr_test=checks) == ""


def test_what_has_moved_alerts_and_what_has_not_does_not(tmp_path: Path, rules: Path):
    lines = [*feature("age", MOVED), *feature("plan", SAME), *prediction(MOVED)]
    checks = firing("PawlFeatureDrift", "90m", "age", "prediction")
    assert told(tmp_path, rules, input_series=lines, promql_expr_test=checks) == ""


def test_few_rows_do_not_alert(tmp_path: Path, rules: Path):
    few = feature("age", {"(-inf, 1]": 0, "(1, 2]": 0, "(2, inf)": 6, "empty": 0})
    checks = firing("PawlFeatureDrift", "90m")
    assert told(tmp_path, rules, input_series=few, promql_expr_test=checks) == ""


def test_no_rows_have_no_psi(tmp_path: Path, rules: Path):
    lines = feature("age", dict.fromkeys(REFERENCE, 0))
    checks = [{"expr": "pawl:feature_psi:window", "eval_time": "90m", "exp_samples": []}]
    assert told(tmp_path, rules, input_series=lines, promql_expr_test=checks) == ""


@pytest.mark.parametrize(
    ("failed", "alerts"),
    [pytest.param(10, True, id="one in ten"), pytest.param(4, False, id="one in 25")],
)
def test_servers_that_fail_alert(tmp_path: Path, rules: Path, failed: int, alerts: bool):
    expected = {
        "exp_labels": {**TARGET, "severity": "critical"},
        "exp_annotations": {
            "summary": "10% of the requests to ml/churn, version 7 fail",
            "description": "Share of answers with a 5xx code in the last five minutes.",
        },
    }
    check = {"eval_time": "30m", "alertname": "PawlServerErrors"}
    check["exp_alerts"] = [expected] if alerts else []  # type: ignore[assignment]
    lines = errors(failed, 100 - failed)
    assert told(tmp_path, rules, input_series=lines, alert_rule_test=[check]) == ""


@pytest.mark.parametrize(
    "dropped",
    [pytest.param(10, id="ten each minute"), pytest.param(0, id="none")],
)
def test_rows_that_are_not_captured_alert(tmp_path: Path, rules: Path, dropped: int):
    expected = {
        "exp_labels": {**TARGET, "reason": "spool", "severity": "warning"},
        "exp_annotations": {
            "summary": "150 rows of ml/churn, version 7 were not captured (spool)",
            "description": "Rows that found no room in the last 15m: they are lost.",
        },
    }
    check = {"eval_time": "30m", "alertname": "PawlCaptureDropped"}
    check["exp_alerts"] = [expected] if dropped else []  # type: ignore[assignment]
    lines = [series("pawl_capture_dropped_total", f"0+{dropped}x60", **TARGET, reason="spool")]
    assert told(tmp_path, rules, input_series=lines, alert_rule_test=[check]) == ""


def test_a_wrong_expectation_is_noticed(tmp_path: Path, rules: Path):
    checks = firing("PawlFeatureDrift", "90m", "plan")
    assert told(tmp_path, rules, input_series=feature("plan", SAME), promql_expr_test=checks)
