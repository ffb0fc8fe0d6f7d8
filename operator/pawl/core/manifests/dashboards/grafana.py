"""Panels and dashboards as Grafana ≥ 10 reads them (schemaVersion 38).

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model. The
data source is a variable, so that a dashboard fits any installation; panels lie in rows of 24
columns, in the order of their list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

RATE = "$__rate_interval"
_SCHEMA = 38
_WIDTH = 24
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Panel:
    """`queries`: PromQL -> legend, as {{label}}. A table shows the labels of its first query."""

    title: str
    queries: dict[str, str]
    kind: Literal["timeseries", "stat", "table"] = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 8


def dashboard(
    uid: str, title: str, panels: Iterable[Panel], choice: dict[str, str]
) -> dict[str, Any]:
    """The JSON model. `choice`: variable -> the query for its values."""
    source = {"name": "datasource", "type": "datasource", "query": "prometheus"}
    chosen = [
        {
            "name": name,
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": query, "refId": name},
            "refresh": 2,
        }
        for name, query in choice.items()
    ]
    return {
        "uid": uid,
        "title": title,
        "tags": ["pawl"],
        "schemaVersion": _SCHEMA,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [source, *chosen]},
        "links": [{"type": "dashboards", "title": "Pawl", "tags": ["pawl"], "keepTime": True}],
        "panels": list(_placed(panels)),
    }


def _placed(panels: Iterable[Panel]) -> Iterator[dict[str, Any]]:
    """In rows, from left to right; a row is as high as its highest panel."""
    x = y = height = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > _WIDTH:
            x, y, height = 0, y + height, 0
        yield _panel(panel, number, {"x": x, "y": y, "w": panel.width, "h": panel.height})
        x, height = x + panel.width, max(height, panel.height)


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    table = panel.kind == "table"
    targets = [
        {
            "refId": chr(ord("A") + i),
            "datasource": _SOURCE,
            "expr": query,
            **({"legendFormat": legend} if legend else {}),
            **({"instant": True, "format": "table"} if table else {}),
        }
        for i, (query, legend) in enumerate(panel.queries.items())
    ]
    hidden = {"Time": True, **({"Value": True} if panel.unit == "short" else {})}
    organize = {"id": "organize", "options": {"excludeByName": hidden}}
    return {
        "id": number,
        "title": panel.title,
        "type": panel.kind,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": targets,
        **({"transformations": [organize]} if table else {}),
    }
