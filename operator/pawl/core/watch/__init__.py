"""Watches the stable version of a Deployment: drift against its baseline, window by window, and the
retrains that follow."""

from pawl.core.watch import baseline, kept
from pawl.core.watch._carry import Carry
from pawl.core.watch._drift import DriftObserved, Watch, block_seconds, stale, watch
from pawl.core.watch._labels import label_block, labels, still
from pawl.core.watch._retrain import Alarm, Asked, Followed, follow
from pawl.core.watch._rules import unknown
from pawl.core.watch.tally import Tally

__all__ = [
    "Alarm",
    "Asked",
    "Carry",
    "DriftObserved",
    "Followed",
    "Tally",
    "Watch",
    "baseline",
    "block_seconds",
    "follow",
    "kept",
    "label_block",
    "labels",
    "stale",
    "still",
    "unknown",
    "watch",
]
