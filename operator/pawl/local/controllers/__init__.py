"""The controllers of the embedded cluster: what kube-controller-manager and kube-scheduler do.

Each controller is a pure planner, (observed, now) -> changes, and a thin shell that observes
through the registry and applies the changes. All run in one worker on the event loop (`host`).
"""

from pawl.local.controllers.hpa.metrics import Metrics
from pawl.local.controllers.manager import run

__all__ = ["Metrics", "run"]
