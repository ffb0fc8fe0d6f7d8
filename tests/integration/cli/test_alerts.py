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

from pawl.cli import command_line
from pawl.core.manifests.alert_rules import MODELS, OPERATOR
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
    path.write_text(CliRunner().invoke(command_line(), ["alerts", "--plain"]).output)
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
    assert "24 rules found" in done.stdout


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
            "runbook_url": "docs/runbook.md#pawlservererrors",
        },
    }
    check = {"eval_time": "30m", "alertname": "PawlServerErrors"}
    check["exp_alerts"] = [expected] if alerts else []  # type: ignore[assignment]
    lines = errors(failed, 100 - failed)
    assert told(tmp_path, rules, input_series=lines, alert_rule_test=[check]) == ""


def test_a_wrong_expectation_is_noticed(tmp_path: Path, rules: Path):
    checks = firing("PawlFeatureDrift", "90m", "plan")
    assert told(tmp_path, rules, input_series=feature("plan", SAME), promql_expr_test=checks)


OBJECT = {"namespace": "ml", "deployment": "churn"}
KIND = {"kind": "Deployment"}
CALLS = "pawl_operator_reconcile_duration_seconds_count"


def condition(type_: str, status: str, reason: str) -> list[dict[str, str]]:
    """As two operators tell it, of which the second takes over after five minutes."""
    labels = {**OBJECT, "condition": type_, "status": status, "reason": reason}
    return [
        series("pawl_deployment_condition", "1x5 _x60", **labels, pod="a"),
        series("pawl_deployment_condition", "_x5 1x60", **labels, pod="b"),
    ]


def errors_of(reason: str, per_minute: int) -> list[dict[str, str]]:
    name = "pawl_operator_reconcile_errors_total"
    return [
        series(name, f"0+{per_minute}x60", **KIND, reason=reason),
        series(CALLS, "0+60x60", **KIND),
    ]


def counted(name: str, per_minute: int, **labels: str) -> list[dict[str, str]]:
    return [series(f"pawl_operator_{name}", f"0+{per_minute}x60", **labels)]


def value(name: str, number: int, **labels: str) -> list[dict[str, str]]:
    return [series(name, f"{number}x60", **labels)]


def polls(failed: int) -> list[dict[str, str]]:
    return [
        *counted("polls_total", failed, page="monitor", result="failed"),
        *counted("polls_total", 60 - failed, page="monitor", result="answered"),
    ]


LEADS = value("pawl_operator_leader", 1, pod="a")
STANDBY = value("pawl_operator_leader", 0, pod="b")
AT = "pawl_deployment_rolled_back_timestamp_seconds"
LATE = "pawl_operator_queue_oldest_wait_seconds"
HANGS = "pawl_operator_queue_longest_work_seconds"


CASES = [
        pytest.param("PawlOperatorDown", True, STANDBY, id="nobody leads"),
        pytest.param("PawlOperatorDown", False, STANDBY + LEADS, id="one leads"),
        pytest.param("PawlQueueStuck", True, value(HANGS, 900), id="a worker hangs"),
        pytest.param("PawlQueueStuck", True, value(LATE, 900), id="all are busy"),
        pytest.param("PawlQueueStuck", False, value(LATE, 9) + value(HANGS, 9), id="it moves"),
        pytest.param("PawlReconcileErrors", True, errors_of("ApiServer", 30), id="half fail"),
        pytest.param("PawlReconcileErrors", False, errors_of("ApiServer", 3), id="few fail"),
        pytest.param("PawlReconcileErrors", False, errors_of("Conflict", 30), id="conflicts"),
        pytest.param("PawlDefect", True, errors_of("Defect", 1), id="a defect"),
        pytest.param("PawlDefect", False, errors_of("Store", 1), id="no defect"),
        pytest.param(
            "PawlWatchFailing", True,
            counted("watch_restarts_total", 2, resource="pods", reason="Failed"), id="no watch",
        ),
        pytest.param(
            "PawlWatchFailing", False,
            counted("watch_restarts_total", 2, resource="pods", reason="Expired"), id="410",
        ),
        pytest.param(
            "PawlStoreUnreachable", True, counted("store_errors_total", 1, operation="keep"),
            id="store",
        ),
        pytest.param(
            "PawlStoreUnreachable", False, counted("store_errors_total", 0, operation="keep"),
            id="store answers",
        ),
        pytest.param("PawlPollsFail", True, polls(50), id="pods are silent"),
        pytest.param("PawlPollsFail", False, polls(5), id="some pods go"),
        pytest.param(
            "PawlNotificationsLost", True, counted("notifications_total", 1, result="lost"),
            id="lost",
        ),
        pytest.param(
            "PawlNotificationsLost", False, counted("notifications_total", 1, result="delivered"),
            id="delivered",
        ),
        pytest.param(
            "PawlUnavailable", True, condition("Available", "False", "Starting"), id="down"
        ),
        pytest.param("PawlUnavailable", False, condition("Available", "True", "S"), id="up"),
        pytest.param("PawlStalled", True, condition("Stalled", "True", "NameTaken"), id="stalled"),
        pytest.param("PawlStalled", False, condition("Stalled", "False", "Observed"), id="well"),
        pytest.param(
            "PawlRolloutStuck", True, condition("RolloutBlocked", "True", "Undecided"), id="stuck"
        ),
        pytest.param(
            "PawlRolloutStuck", False, condition("RolloutBlocked", "False", "Proceeding"),
            id="proceeds",
        ),
        pytest.param(
            "PawlRolledBack", True, value(AT, 600, **OBJECT, version="8", reason="GateFailed"),
            id="lately",
        ),
        pytest.param(
            "PawlRolledBack", False, value(AT, -3600, **OBJECT, version="8", reason="Aborted"),
            id="long ago",
        ),
        pytest.param("PawlDrifted", True, condition("Drifted", "True", "Stale"), id="drift"),
        pytest.param("PawlDrifted", False, condition("Drifted", "Unknown", "W"), id="watching"),
        pytest.param(
            "PawlBreakerOpen", True, condition("Retraining", "False", "BreakerOpen"), id="breaker"
        ),
        pytest.param(
            "PawlBreakerOpen", False, condition("Retraining", "False", "Cooldown"), id="cooldown"
        ),
        pytest.param(
            "PawlTrainingFailed", True,
            value("pawl_training_job_info", 1, namespace="ml", training_job="n", phase="Failed"),
            id="failed",
        ),
        pytest.param(
            "PawlTrainingFailed", False,
            value("pawl_training_job_info", 1, namespace="ml", training_job="n", phase="Running"),
            id="running",
        ),
        pytest.param(
            "PawlCaptureDropped", True,
            [series("pawl_capture_dropped_total", "0+3x60", **TARGET, reason="spool")],
            id="dropped",
        ),
        pytest.param(
            "PawlCaptureDropped", False,
            [series("pawl_capture_dropped_total", "3x60", **TARGET, reason="spool")],
            id="dropped long ago",
        ),
]  # fmt: skip


@pytest.mark.parametrize(("alert", "fires", "lines"), CASES)
def test_when_an_alert_fires(
    tmp_path: Path, rules: Path, alert: str, fires: bool, lines: list[dict[str, str]]
):
    expression = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    samples = [{"labels": "{}", "value": 1}] if fires else []
    check = {"expr": expression, "eval_time": "45m", "exp_samples": samples}
    assert told(tmp_path, rules, input_series=lines, promql_expr_test=[check]) == ""


def test_every_alert_is_seen_to_fire_and_not_to():
    assert {(case.values[0], case.values[1]) for case in CASES} == {
        (alert.name, fires) for alert in (*OPERATOR, *MODELS) for fires in (True, False)
    }
