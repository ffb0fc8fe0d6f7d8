"""One model: what it serves, how it is tried, what it sees."""

from __future__ import annotations

from pawl.core.manifests.dashboards.grafana import RATE, Panel

_OF = 'namespace="$namespace",deployment="$deployment"'
_ROUTED = f'{_OF},envoy_cluster_name=~"v[0-9]+(-direct)?"'

#: Variable -> the query for its values.
CHOICE = {
    "namespace": "label_values(pawl_deployment_info, namespace)",
    "deployment": 'label_values(pawl_deployment_info{namespace="$namespace"}, deployment)',
}
PANELS = (
    Panel(
        "Now",
        {f"max by (model, phase, stable, candidate) (pawl_deployment_info{{{_OF}}})": ""},
        "table",
        height=4,
    ),
    Panel(
        "Conditions",
        {f"max by (condition, status, reason) (pawl_deployment_condition{{{_OF}}})": ""},
        "table",
    ),
    Panel(
        "Gates",
        {f"max by (stage, metric, limit, verdict) (pawl_deployment_gate{{{_OF}}})": ""},
        "table",
    ),
    Panel(
        "Share of the requests",
        {
            f"max by (version, role) (pawl_deployment_traffic_ratio{{{_OF}}})": (
                "version {{version}} ({{role}})"
            )
        },
        unit="percentunit",
    ),
    Panel(
        "Requests as the routers see them",
        {
            "sum by (envoy_cluster_name) (\n"
            f"  rate(envoy_cluster_upstream_rq_completed{{{_ROUTED}}}[{RATE}])\n"
            ")": "{{envoy_cluster_name}}"
        },
        unit="reqps",
    ),
    Panel(
        "Answers 5xx as the routers see them",
        {
            "sum by (envoy_cluster_name) (\n"
            "  rate(envoy_cluster_upstream_rq_xx{\n"
            f'    {_ROUTED},envoy_response_code_class="5"\n'
            f"  }}[{RATE}])\n"
            ")": "{{envoy_cluster_name}}"
        },
        unit="reqps",
    ),
    Panel(
        "Latency of the servers, by version",
        {
            f"histogram_quantile({q}, sum by (version, le) (\n"
            f"  rate(pawl_server_infer_duration_seconds_bucket{{{_OF}}}[{RATE}])\n"
            "))": f"p{100 * q:g} of {{{{version}}}}"
            for q in (0.5, 0.95)
        },
        unit="s",
    ),
    Panel(
        "Pods",
        {
            f"max(pawl_deployment_replicas{{{_OF}}})": "wanted",
            f"max(pawl_deployment_ready_replicas{{{_OF}}})": "ready",
        },
    ),
    Panel(
        "Requests that wait for the model",
        {f"sum by (version) (pawl_server_waiting_requests{{{_OF}}})": "version {{version}}"},
    ),
    Panel(
        "Drift of the worst features, as a part of the limit",
        {
            f"max by (feature, metric) (pawl_deployment_drift{{{_OF}}})\n"
            "/ max by (feature, metric) (\n"
            f"  pawl_deployment_drift_threshold{{{_OF}}}\n"
            ")": "{{feature}} ({{metric}})"
        },
        unit="percentunit",
    ),
    Panel(
        "Truth",
        {
            f"max by (concern, metric) (pawl_deployment_truth{{{_OF}}})": "{{metric}}",
            f"max by (concern, metric) (pawl_deployment_truth_limit{{{_OF}}})": "{{metric}}, limit",
        },
    ),
    Panel(
        "Captured rows, and those that found no room",
        {
            f"sum by (kind) (rate(pawl_capture_rows_total{{{_OF}}}[{RATE}]))": "{{kind}}",
            f"sum by (reason) (rate(pawl_capture_dropped_total{{{_OF}}}[{RATE}]))": (
                "lost: {{reason}}"
            ),
        },
        unit="rowsps",
    ),
)
