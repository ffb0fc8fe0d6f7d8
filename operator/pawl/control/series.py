"""Counts of features from a Prometheus that scrapes the servers, by steps like those of a pod.

A step's count is the sum over pods of how much each counter has risen from the last sample before
the step to the last one in it; a counter that has fallen began anew, and counts in full. So steps
add up to what was counted, whatever the scrape interval is. `increase()` over each step would need
two scrapes in it, and extrapolates over what lies between the steps.

A row is in the step of the scrape that told of it. What a pod counted between its last scrape and
its end, or before its first one, is in none.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pawl.control.features import Described, Steps
from pawl.control.prometheus import Prometheus, PrometheusError, Ranged
from pawl.stats.drift.layout import PREDICTION

Object = Mapping[str, Any]
log = logging.getLogger(__name__)
#: Seconds that Prometheus may need for a scrape: what it has of an earlier second does not change.
LAG = 30
#: Seconds that are gone back for what was not counted yet.
REMEMBERED = 86_400
_COUNTERS = ("pawl_feature_rows_total", "pawl_prediction_rows_total")
_MOST = 2**32


class Series:
    """What one Prometheus knows."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus
        self._silent = False

    async def steps(
        self, item: Object, version: int, told: Described, begin: int, end: int, step: int
    ) -> list[Steps]:
        """What the pods of a Deployment's version saw in [begin, end), as if one pod told it;
        nothing when Prometheus does not answer."""
        meta = item["metadata"]
        where = f'namespace="{meta["namespace"]}",deployment="{meta["name"]}",version="{version}"'
        cells = np.zeros(((end - begin) // step, len(told.layout.cells.of)), dtype=np.uint32)
        try:
            for name in _COUNTERS:
                query = risen(f"{name}{{{where}}}", step)
                found = await self._prometheus.ranged(query, begin + step, end, step)
                for series in found:
                    _put(cells, series, told, begin, step)
        except PrometheusError as error:
            if not self._silent:
                log.warning("what servers count cannot be read: %s", error)
            self._silent = True
            return []
        self._silent = False
        return [Steps(told.name, begin, step, cells)]


def risen(counter: str, step: int) -> str:
    """PromQL: by cell, how much a counter has risen in the last seconds, over all pods."""
    before = f"{counter} offset {step}s"
    return f"sum by (feature, cell) (({counter} - {before}) >= 0 or ({counter} and {before}))"


def _put(cells: NDArray[np.uint32], series: Ranged, told: Described, begin: int, step: int) -> None:
    """A value is of the step that ends with its time. One that cannot be is left out."""
    name = series.labels.get("feature", PREDICTION)
    place = told.places.get((name, series.labels.get("cell", "")))
    if place is None:
        return
    for second, value in series.values:
        at = (second - begin) // step - 1
        if 0 <= at < len(cells) and 0 <= value < _MOST:
            cells[at, place] = round(value)
