"""Alerts on the operator and on the state of objects (docs/metrics.md); docs/runbook.md says for
each what it means and what to do.

The state of an object alerts for as long as it lasts, so an alert ends when somebody has seen to
it. A failure that is tried again alerts when it goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

_OF = "{{ $labels.namespace }}/{{ $labels.deployment }}"
_POD = ("namespace", "deployment", "model", "version")


@dataclass(frozen=True)
class Alert:
    """`expression` has the word SCOPE where a matcher of the namespace may stand."""

    name: str
    severity: Literal["critical", "warning"]
    expression: str
    lasting: str
    summary: str
    description: str

    def rule(self, runbook: str, scope: str = "") -> dict[str, Any]:
        """For a rule file; `runbook` is where docs/runbook.md is."""
        return {
            "alert": self.name,
            "expr": self.expression.replace("SCOPE", scope),
            **({"for": self.lasting} if self.lasting else {}),
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{runbook}#{self.name.lower()}",
            },
        }


OPERATOR = (
    Alert(
        "PawlOperatorDown",
        "critical",
        "absent(pawl_operator_leader == 1)",
        "5m",
        "no operator acts",
        "Models are served as before; nothing is trained, rolled out or rolled back.",
    ),
    Alert(
        "PawlQueueStuck",
        "critical",
        "max(pawl_operator_queue_longest_work_seconds) > 300\n"
        "or max(pawl_operator_queue_oldest_wait_seconds) > 300",
        "5m",
        "an object has been worked on, or has waited, for {{ $value | humanizeDuration }}",
        "A worker hangs, or there are too few of them (PAWL_WORKERS).",
    ),
    Alert(
        "PawlReconcileErrors",
        "warning",
        "sum by (kind, reason) (\n"
        '  rate(pawl_operator_reconcile_errors_total{reason!~"Conflict|Defect"}[10m])\n'
        ")\n"
        "/ on (kind) group_left ()\n"
        "sum by (kind) (rate(pawl_operator_reconcile_duration_seconds_count[10m]))\n"
        "> 0.1",
        "15m",
        "{{ $value | humanizePercentage }} of the looks at a {{ $labels.kind }} fail: "
        "{{ $labels.reason }}",
        "They are tried again with growing pauses; what they should do is not done yet.",
    ),
    Alert(
        "PawlDefect",
        "warning",
        'increase(pawl_operator_reconcile_errors_total{reason="Defect"}[15m]) > 0',
        "",
        "an error of Pawl's own at a {{ $labels.kind }}",
        "The log has a traceback. Other objects are not concerned.",
    ),
    Alert(
        "PawlWatchFailing",
        "warning",
        "sum by (resource) (\n"
        '  increase(pawl_operator_watch_restarts_total{reason="Failed"}[15m])\n'
        ") > 5",
        "",
        "{{ $labels.resource }} cannot be watched",
        "The operator sees changes late, or not at all.",
    ),
    Alert(
        "PawlStoreUnreachable",
        "critical",
        "sum(increase(pawl_operator_store_errors_total[10m])) > 0",
        "10m",
        "the artifact store does not answer the operator",
        "Nothing is promoted and no training is published; rollbacks go on.",
    ),
    Alert(
        "PawlPollsFail",
        "warning",
        "sum by (page) (\n"
        '  rate(pawl_operator_polls_total{result="failed"}[10m])\n'
        ")\n"
        "/ sum by (page) (rate(pawl_operator_polls_total[10m]))\n"
        "> 0.5",
        "15m",
        "{{ $value | humanizePercentage }} of the pods do not tell their {{ $labels.page }}",
        "Rollouts and drift wait for what they count.",
    ),
    Alert(
        "PawlNotificationsLost",
        "warning",
        'sum(increase(pawl_operator_notifications_total{result="lost"}[1h])) > 0',
        "",
        "notifications were not delivered",
        "A receiver refused them, or did not answer for ten minutes.",
    ),
)


def _condition(matchers: str) -> str:
    """Whichever operator tells it: the alert goes on when another one takes over."""
    series = f"pawl_deployment_condition{{SCOPE{matchers}}}"
    return f"max by (namespace, deployment, reason) ({series}) == 1"


MODELS = (
    Alert(
        "PawlUnavailable",
        "critical",
        _condition('condition="Available",status="False"'),
        "10m",
        f"{_OF} does not answer: {{{{ $labels.reason }}}}",
        "No pod of the stable version, or no router, is ready.",
    ),
    Alert(
        "PawlStalled",
        "warning",
        _condition('condition="Stalled",status="True"'),
        "15m",
        f"{_OF} waits for somebody: {{{{ $labels.reason }}}}",
        "What was served goes on; what the spec asks for cannot be done.",
    ),
    Alert(
        "PawlRolloutStuck",
        "warning",
        _condition('condition="RolloutBlocked",status="True"'),
        "30m",
        f"the rollout of {_OF} does not come to a decision",
        "The deadline has passed, or `pawl promote` is waited for.",
    ),
    Alert(
        "PawlRolledBack",
        "warning",
        "time() - max by (namespace, deployment, version, reason) (\n"
        "  pawl_deployment_rolled_back_timestamp_seconds{SCOPE}\n"
        ") < 3600",
        "",
        f"version {{{{ $labels.version }}}} of {_OF} was taken back: {{{{ $labels.reason }}}}",
        "Told for an hour. The version before gets all requests.",
    ),
    Alert(
        "PawlDrifted",
        "warning",
        _condition('condition="Drifted",status="True"'),
        "",
        f"what {_OF} sees or says is not as it was: {{{{ $labels.reason }}}}",
        "Decided by the Deployment (spec.drift), with its stated error rate.",
    ),
    Alert(
        "PawlBreakerOpen",
        "warning",
        _condition('condition="Retraining",reason="BreakerOpen"'),
        "",
        f"retraining does not help {_OF}, and is stopped",
        "Several retrains in a row were in vain; `pawl reset` allows the next.",
    ),
    Alert(
        "PawlTrainingFailed",
        "warning",
        'max by (namespace, training_job) (pawl_training_job_info{SCOPEphase="Failed"}) == 1',
        "5m",
        "TrainingJob {{ $labels.namespace }}/{{ $labels.training_job }} has failed",
        "Until it is deleted or its recipe is changed.",
    ),
    Alert(
        "PawlCaptureDropped",
        "warning",
        f"sum by ({', '.join((*_POD, 'reason'))}) (\n"
        "  increase(pawl_capture_dropped_total{SCOPE}[15m])\n"
        ") > 0",
        "",
        f"captured rows of {_OF} are lost: {{{{ $labels.reason }}}}",
        "Answers are not concerned; the captured data have a gap.",
    ),
)
