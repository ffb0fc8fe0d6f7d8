"""What a Prometheus needs: where to scrape, the PSI of every feature from the servers' own
counters, and alerts (those that are not about features or answers are in `alert_rules`).

The PSI is that of `stats.drift.divergences`: over the bins that the window or the baseline has rows
in, Σ (p - q)·ln(p/q), p and q being shares with 0.5 added to every count. The prediction is the
feature `prediction`. The alert takes off what chance alone adds, (K - 1)·(1/n + 1/m).

The window slides and is looked at every minute, so the alert has no stated error rate; the
Deployment's own decision (`Drifted`) has. What is scraped must carry the labels TARGET.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pawl import constants as c
from pawl.core.manifests.alert_rules import MODELS, OPERATOR, Alert

#: Labels of a version's servers. The PodMonitor sets them; else relabelling has to.
TARGET = ("namespace", "deployment", "model", "version")
ROWS, REFERENCE = "pawl:feature_rows:window", "pawl:feature_reference:rows"
P, Q = "pawl:feature_share:window", "pawl:feature_share:reference"
SAMPLES, PSI = "pawl:feature_samples:window", "pawl:feature_psi:window"
_BINS = 'cell!~"missing|outOfRange"'
_OF = "{{ $labels.namespace }}/{{ $labels.deployment }}, version {{ $labels.version }}"
_ROWS_PER_BIN = 50
_FAILED = 0.05


@dataclass(frozen=True)
class Limits:
    """`window` in Prometheus's notation; `psi` above which a feature alerts; `rows` that a window
    must have, and 50 for each bin. `namespace` None: all, and the operator. `runbook` is where
    docs/runbook.md is."""

    window: str = "1h"
    psi: float = 0.2
    rows: int = 500
    namespace: str | None = None
    runbook: str = "docs/runbook.md"


def rule_file(limits: Limits) -> dict[str, Any]:
    """The content of a rule file of Prometheus, and the spec of a PrometheusRule."""
    scope = f'namespace="{limits.namespace}",' if limits.namespace else ""
    models = [alert.rule(limits.runbook, scope) for alert in MODELS]
    groups: list[dict[str, Any]] = [
        {"name": "pawl-drift", "interval": "1m", "rules": [*_psi(limits), _drift(limits)]},
        {"name": "pawl-servers", "rules": [_errors(limits)]},
        {"name": "pawl-models", "rules": models},
    ]
    if limits.namespace is None:
        rules = [alert.rule(limits.runbook) for alert in OPERATOR]
        groups.append({"name": "pawl-operator", "rules": rules})
    return {"groups": groups}


def objects(limits: Limits) -> list[dict[str, Any]]:
    """For the Prometheus Operator: PodMonitors that scrape servers, routers and operator, and a
    PrometheusRule."""
    found = [_object("PodMonitor", f"pawl-{name}", spec, limits) for name, spec in monitors(limits)]
    return [*found, _object("PrometheusRule", "pawl", rule_file(limits), limits)]


def monitors(limits: Limits) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and spec of each PodMonitor. The operator's own labels name the object that it tells of,
    not its pod: they are honoured."""
    scope = {"matchNames": [limits.namespace]} if limits.namespace else {"any": True}
    for role, port, path, names in (
        (c.ROLE_SERVER, "http", "/metrics", TARGET[1:]),
        (c.ROLE_ROUTER, "state", "/stats/prometheus", TARGET[1:3]),
    ):
        labels = [
            {"sourceLabels": [f"__meta_kubernetes_pod_label_pawl_dev_{name}"], "targetLabel": name}
            for name in names
        ]
        yield (
            f"{role}s",
            {
                "namespaceSelector": scope,
                "selector": {"matchLabels": {c.LABEL_MANAGED_BY: "pawl", c.LABEL_ROLE: role}},
                "podMetricsEndpoints": [{"port": port, "path": path, "relabelings": labels}],
            },
        )
    if limits.namespace is None:
        yield (
            "operator",
            {
                "namespaceSelector": scope,
                "selector": {"matchLabels": {"app.kubernetes.io/name": c.COMPONENT}},
                "podMetricsEndpoints": [
                    {"port": "metrics", "path": "/metrics", "honorLabels": True}
                ],
            },
        )


def _object(kind: str, name: str, spec: dict[str, Any], limits: Limits) -> dict[str, Any]:
    where = {"namespace": limits.namespace} if limits.namespace else {}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": kind,
        "metadata": {"name": name, **where, "labels": {c.LABEL_MANAGED_BY: "pawl"}},
        "spec": spec,
    }


def _psi(limits: Limits) -> list[dict[str, Any]]:
    by = ", ".join((*TARGET, "feature", "cell"))
    counted = _with_prediction(limits, "rows_total", f"increase({{}}[{limits.window}])")
    known = _with_prediction(limits, "reference", "{}")
    terms = f"({P} - {Q}) * ln({P} / {Q})"
    return [
        _record(ROWS, f"sum by ({by}) (\n{counted}\n)"),
        _record(REFERENCE, f"max by ({by}) (\n{known}\n)"),
        _record(P, _share(ROWS)),
        _record(Q, _share(REFERENCE)),
        _record(SAMPLES, f"sum without (cell) ({ROWS})"),
        _record(PSI, f"sum without (cell) ({terms})\nand {SAMPLES} > 0"),
    ]


def _drift(limits: Limits) -> dict[str, Any]:
    bins, baseline = f"count without (cell) ({P})", f"sum without (cell) ({REFERENCE})"
    chance = f"({bins} - 1) * (1 / {SAMPLES} + 1 / {baseline})"
    enough = f"clamp_min({_ROWS_PER_BIN} * {bins}, {limits.rows})"
    return Alert(
        "PawlFeatureDrift",
        "warning",
        f"{PSI} - {chance}\n  > {limits.psi:g}\nand {SAMPLES} >= {enough}",
        "",
        f"{{{{ $labels.feature }}}} of {_OF} is not like its baseline",
        f"PSI {{{{ $value | humanize }}}} over {limits.window}, without what chance adds; the "
        f"limit is {limits.psi:g}.",
    ).rule(limits.runbook)


def _errors(limits: Limits) -> dict[str, Any]:
    def rate(*matchers: str) -> str:
        where = _selector(limits, 'operation="infer"', *matchers)
        return f"sum by ({', '.join(TARGET)}) (rate(pawl_server_requests_total{where}[5m]))"

    failed = rate('code=~"5.."')
    return Alert(
        "PawlServerErrors",
        "critical",
        f"{failed}\n  / {rate()}\n  > {_FAILED:g}",
        "5m",
        f"{{{{ $value | humanizePercentage }}}} of the requests to {_OF} fail",
        "Share of answers with a 5xx code in the last five minutes.",
    ).rule(limits.runbook)


def _with_prediction(limits: Limits, name: str, form: str) -> str:
    feature, prediction = (
        form.format(f"pawl_{what}_{name}{_selector(limits, _BINS)}")
        for what in ("feature", "prediction")
    )
    return f'  {feature}\n  or label_replace({prediction}, "feature", "prediction", "", "")'


def _share(counts: str) -> str:
    added = f"(({counts} + 0.5) and ({ROWS} > 0 or {REFERENCE} > 0))"
    return f"{added}\n/ ignoring (cell) group_left ()\nsum without (cell) {added}"


def _selector(limits: Limits, *matchers: str) -> str:
    scope = [f'namespace="{limits.namespace}"'] if limits.namespace else []
    return "{" + ",".join([*scope, *matchers]) + "}"


def _record(name: str, expression: str) -> dict[str, Any]:
    return {"record": name, "expr": expression}
