"""The operator at its work."""

from __future__ import annotations

from pawl.core.manifests.dashboards.grafana import RATE, Panel

PANELS = (
    Panel("Leaders", {"sum(pawl_operator_leader)": ""}, "stat", width=4, height=4),
    Panel(
        "Version", {"max by (version, python) (pawl_operator_build_info)": ""}, "table", height=4
    ),
    Panel("Waiting", {"max(pawl_operator_queue_depth)": ""}, "stat", width=4, height=4),
    Panel(
        "Memory",
        {'max(process_resident_memory_bytes{container="operator"})': ""},
        "stat",
        "bytes",
        4,
        4,
    ),
    Panel(
        "CPU",
        {f'max(rate(process_cpu_seconds_total{{container="operator"}}[{RATE}]))': ""},
        "stat",
        "percentunit",
        4,
        4,
    ),
    Panel(
        "Reconciles",
        {
            f"sum by (kind) (rate(pawl_operator_reconcile_duration_seconds_count[{RATE}]))": (
                "{{kind}}"
            )
        },
        unit="ops",
    ),
    Panel(
        "Reconciles that fail",
        {
            f"sum by (kind, reason) (rate(pawl_operator_reconcile_errors_total[{RATE}]))": (
                "{{kind}}: {{reason}}"
            )
        },
        unit="ops",
    ),
    Panel(
        "Duration of a reconcile, 99th percentile",
        {
            "histogram_quantile(0.99, sum by (kind, le) (\n"
            f"  rate(pawl_operator_reconcile_duration_seconds_bucket[{RATE}])\n"
            "))": "{{kind}}"
        },
        unit="s",
    ),
    Panel(
        "Wait for a worker",
        {
            "histogram_quantile(0.99, sum by (le) (\n"
            f"  rate(pawl_operator_queue_wait_seconds_bucket[{RATE}])\n"
            "))": "p99",
            "max(pawl_operator_queue_oldest_wait_seconds)": "the next one",
            "max(pawl_operator_queue_longest_work_seconds)": "the longest work",
        },
        unit="s",
    ),
    Panel(
        "Requests to the API server",
        {
            f"sum by (verb, code) (rate(pawl_operator_api_requests_total[{RATE}]))": (
                "{{verb}} {{code}}"
            )
        },
        unit="reqps",
    ),
    Panel(
        "Its answers, 99th percentile",
        {
            "histogram_quantile(0.99, sum by (verb, le) (\n"
            f'  rate(pawl_operator_api_request_duration_seconds_bucket{{verb!="watch"}}[{RATE}])\n'
            "))": "{{verb}}"
        },
        unit="s",
    ),
    Panel(
        "Calls of the store, 99th percentile",
        {
            "histogram_quantile(0.99, sum by (operation, le) (\n"
            f"  rate(pawl_operator_store_duration_seconds_bucket[{RATE}])\n"
            "))": "{{operation}}"
        },
        unit="s",
    ),
    Panel(
        "What fails",
        {
            "sum by (resource) (increase(pawl_operator_watch_restarts_total[5m]))": (
                "watch of {{resource}}"
            ),
            "sum by (operation) (increase(pawl_operator_store_errors_total[5m]))": (
                "store: {{operation}}"
            ),
            'sum by (page) (increase(pawl_operator_polls_total{result="failed"}[5m]))': (
                "poll: {{page}}"
            ),
            'sum(increase(pawl_operator_notifications_total{result="lost"}[5m]))': "notifications",
        },
    ),
    Panel("Events", {"sum by (reason) (increase(pawl_operator_events_total[5m]))": "{{reason}}"}),
    Panel("Known objects", {"max by (resource) (pawl_operator_cache_objects)": "{{resource}}"}),
)
