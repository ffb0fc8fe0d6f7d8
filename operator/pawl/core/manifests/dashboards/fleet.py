"""All models."""

from __future__ import annotations

from pawl.core.manifests.dashboards.grafana import RATE, Panel

PANELS = (
    Panel("Deployments", {'sum by (phase) (pawl_objects{kind="Deployment"})': "{{phase}}"}, "stat"),
    Panel("Trainings", {'sum by (phase) (pawl_objects{kind="TrainingJob"})': "{{phase}}"}, "stat"),
    Panel("Versions", {'sum by (phase) (pawl_objects{kind="ModelVersion"})': "{{phase}}"}, "stat"),
    Panel(
        "Needs somebody",
        {
            "max by (namespace, deployment, condition, reason) (\n"
            '  pawl_deployment_condition{condition="Available",status="False"}\n'
            '  or pawl_deployment_condition{condition=~"Stalled|RolloutBlocked|Drifted",'
            'status="True"}\n'
            '  or pawl_deployment_condition{reason="BreakerOpen"}\n'
            ")": ""
        },
        "table",
        width=12,
    ),
    Panel(
        "Rollouts under way, and for how long",
        {
            "time() - max by (namespace, deployment, candidate, phase) (\n"
            "  pawl_deployment_rollout_start_timestamp_seconds\n"
            ")": ""
        },
        "table",
        unit="s",
        width=12,
    ),
    Panel(
        "Requests",
        {
            "sum by (namespace, deployment) (\n"
            f'  rate(pawl_server_requests_total{{operation="infer"}}[{RATE}])\n'
            ")": "{{namespace}}/{{deployment}}"
        },
        unit="reqps",
    ),
    Panel(
        "Requests that fail",
        {
            "sum by (namespace, deployment) (\n"
            f'  rate(pawl_server_requests_total{{operation="infer",code=~"5.."}}[{RATE}])\n'
            ")\n"
            "/ sum by (namespace, deployment) (\n"
            f'  rate(pawl_server_requests_total{{operation="infer"}}[{RATE}])\n'
            ")": "{{namespace}}/{{deployment}}"
        },
        unit="percentunit",
    ),
    Panel(
        "Latency, 95th percentile",
        {
            "histogram_quantile(0.95, sum by (namespace, deployment, le) (\n"
            f"  rate(pawl_server_infer_duration_seconds_bucket[{RATE}])\n"
            "))": "{{namespace}}/{{deployment}}"
        },
        unit="s",
    ),
    Panel(
        "Decisions",
        {"sum by (reason) (increase(pawl_operator_decisions_total[1h]))": "{{reason}}"},
    ),
    Panel(
        "Retrains", {"sum by (outcome) (increase(pawl_operator_retrains_total[1h]))": "{{outcome}}"}
    ),
    Panel(
        "Drift windows",
        {"sum by (verdict) (increase(pawl_operator_drift_windows_total[1h]))": "{{verdict}}"},
    ),
)
