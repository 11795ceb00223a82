"""Boards as Grafana's JSON, to be imported or provisioned as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from supervisor.worker.metrics import names
from tools.docs.boards.panels import Board, Look, Panel

_SCHEMA = 39  # Grafana 11's; later ones read it
_TAG = "vllm-supervisor"
_COLUMNS, _HEIGHT = 24, 8
#: Whichever Prometheus the board's first variable names.
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_GOOD, _BAD = "green", "red"
_LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}

_OPTIONS: Mapping[Look, Mapping[str, Any]] = {
    Look.LINES: {
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    Look.NUMBER: {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": _LAST,
        "textMode": "auto",
    },
    Look.BARS: {
        "displayMode": "basic",
        "orientation": "horizontal",
        "reduceOptions": _LAST,
        "showUnfilled": True,
        "valueMode": "color",
    },
    Look.TABLE: {"showHeader": True},
}
_WITHOUT_COLUMNS = {"Time": True, "Value": True, "__name__": True}


def text(board: Board) -> str:
    """The file of a board."""
    return json.dumps(_dashboard(board), indent=2) + "\n"


def _dashboard(board: Board) -> Mapping[str, Any]:
    return {
        "uid": f"{_TAG}-{board.name}",
        "title": f"vLLM supervisor: {board.title}",
        "tags": [_TAG],
        "schemaVersion": _SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,  # one crosshair on all panels
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "refresh": "30s",
        "timezone": "browser",
        "fiscalYearStartMonth": 0,
        "weekStart": "",
        "liveNow": False,
        "annotations": {"list": []},
        "links": [
            {
                "type": "dashboards",
                "title": "vLLM supervisor",
                "tags": [_TAG],
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "icon": "external link",
                "tooltip": "",
                "url": "",
            }
        ],
        "templating": {"list": list(_variables())},
        "panels": list(_panels(board)),
    }


def _variables() -> Iterator[Mapping[str, Any]]:
    yield {
        "name": "datasource",
        "type": "datasource",
        "label": "Prometheus",
        "query": "prometheus",
        "regex": "",
        "refresh": 1,
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "current": {},
    }
    ready = names.READY.full
    for name, label, among in (
        ("job", "Job", ready),
        ("instance", "Worker", f'{ready}{{job=~"$job"}}'),
    ):
        asked = f"label_values({among}, {name})"
        yield {
            "name": name,
            "type": "query",
            "label": label,
            "datasource": _SOURCE,
            "definition": asked,
            "query": {"qryType": 1, "query": asked, "refId": "PrometheusVariableQueryEditor"},
            "regex": "",
            "refresh": 2,  # when the time range changes: workers come and go
            "sort": 1,
            "hide": 0,
            "includeAll": True,
            "allValue": ".*",
            "multi": True,
            "options": [],
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        }


def _panels(board: Board) -> Iterator[Mapping[str, Any]]:
    """Placed in rows, from the left, as many as fit."""
    x = y = 0
    for number, panel in enumerate(board.panels, start=1):
        if x + panel.width > _COLUMNS:
            x, y = 0, y + _HEIGHT
        yield {
            "id": number,
            "type": str(panel.look),
            "title": panel.title,
            "description": panel.meaning,
            "gridPos": {"x": x, "y": y, "w": panel.width, "h": _HEIGHT},
            "datasource": _SOURCE,
            "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
            "options": _OPTIONS[panel.look],
            "targets": list(_targets(panel)),
            **_transformed(panel),
        }
        x += panel.width


def _defaults(panel: Panel) -> Mapping[str, Any]:
    steps: list[Mapping[str, Any]] = [{"color": _GOOD, "value": None}]
    if panel.limit is not None:
        steps.append({"color": _BAD, "value": panel.limit})
    lines = {
        "drawStyle": "line",
        "fillOpacity": 10,
        "lineWidth": 1,
        "showPoints": "auto",
        "spanNulls": False,
        "thresholdsStyle": {"mode": "off" if panel.limit is None else "line"},
    }
    return {
        "unit": panel.unit,
        **({} if panel.look is Look.TABLE else {"min": 0}),
        **({} if panel.most is None else {"max": panel.most}),
        "color": {"mode": "palette-classic" if panel.look is Look.LINES else "thresholds"},
        "thresholds": {"mode": "absolute", "steps": steps},
        **({"custom": lines} if panel.look is Look.LINES else {}),
    }


def _targets(panel: Panel) -> Iterator[Mapping[str, Any]]:
    lines, table = panel.look is Look.LINES, panel.look is Look.TABLE
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        yield {
            "refId": letter,
            "datasource": _SOURCE,
            "editorMode": "code",
            "expr": query.expression,
            "legendFormat": query.legend or "__auto",
            "format": "table" if table else "time_series",
            "range": lines,
            "instant": not lines,
        }


def _transformed(panel: Panel) -> Mapping[str, Any]:
    if panel.look is not Look.TABLE:
        return {}
    options = {"excludeByName": _WITHOUT_COLUMNS, "indexByName": {}, "renameByName": {}}
    return {"transformations": [{"id": "organize", "options": options}]}
