"""The page: the variables on top, then rows and panels at the positions of the JSON."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from docs.dashboard import graph, settings, svg, table
from docs.dashboard.panel_data import PanelData
from docs.dashboard.svg import Box
from docs.dashboard.units import format_value
from tests.deploy.dashboard.file import Json, rows

WIDTH: Final = 1600
LABEL: Final = (
    "Drawn by docs/dashboard from the dashboard's JSON with data from Prometheus; "
    "Grafana draws it in its own style."
)

# As in Grafana: 24 columns, units of 30 pixels in height, and 8 pixels between panels.
_COLUMNS, _UNIT, _GAP = 24, 30, 8
_HEAD: Final = 96
_FOOT: Final = 34


def draw(data: PanelData) -> str:
    """Draw the dashboard as it opens; of collapsed rows the title alone."""
    parts = _head(data)
    y = 0
    for row, panels in rows(data.choice.dashboard):
        parts += _row(row, len(panels), _box({**row["gridPos"], "y": y}))
        begin, y = y, y + 1
        if row["collapsed"]:
            continue
        for panel in panels:
            moved = panel["gridPos"] | {"y": panel["gridPos"]["y"] - row["gridPos"]["y"] + begin}
            parts += _panel(panel, _box(moved), data)
            y = max(y, moved["y"] + moved["h"])
    lowest = _box({"x": 0, "y": y, "w": _COLUMNS, "h": 0}).y
    parts.append(svg.text(WIDTH / 2, lowest + 20, LABEL, "faint mid"))
    return svg.document(WIDTH, lowest + _FOOT, f"{data.choice.dashboard['title']}. {LABEL}", parts)


def _panel(panel: Json, box: Box, data: PanelData) -> list[str]:
    return [
        svg.rectangle(box, svg.PANEL, f' stroke="{svg.EDGE}" rx="2"'),
        svg.title(box.x + 10, box.y + 22, panel["title"]),
        *_DRAWING[panel["type"]](box, panel, data),
    ]


def _stat(box: Box, panel: Json, data: PanelData) -> list[str]:
    defaults = panel["fieldConfig"]["defaults"]
    value = data.number(panel)
    shown = format_value(value, defaults["unit"], defaults["decimals"])
    colour = settings.threshold_colour(defaults, value)
    return [svg.text(box.x + box.width / 2, box.bottom - 34, shown, "big mid", colour)]


_DRAWING: Final[dict[str, Callable[[Box, Json, PanelData], list[str]]]] = {
    "stat": _stat,
    "table": table.draw,
    "timeseries": graph.draw,
}


def _row(row: Json, panels: int, box: Box) -> list[str]:
    x, y = box.x + 8, box.y + 18
    collapsed, expanded = (
        [(x, y - 5), (x + 5, y), (x, y + 5)],
        [(x - 3, y - 2), (x + 2, y + 3), (x + 7, y - 2)],
    )
    note = f"({panels} panels)" if row["collapsed"] else ""
    return [
        svg.line(collapsed if row["collapsed"] else expanded, svg.FAINT, 1.5),
        svg.title(box.x + 22, box.y + 22, row["title"], note),
    ]


def _head(data: PanelData) -> list[str]:
    dashboard = data.choice.dashboard
    begin, end = (time.strftime("%H:%M:%S", time.gmtime(at)) for at in (data.begin, data.end))
    parts = [
        svg.text(16, 34, dashboard["title"], "head"),
        svg.text(WIDTH - 16, 34, f"{begin} to {end} UTC", "end"),
    ]
    x = 16.0
    for variable in dashboard["templating"]["list"]:
        chosen = " + ".join(data.choice.values.get(variable["name"], ["All"]))
        shown = "Prometheus" if variable["type"] == "datasource" else chosen
        for text, fill in ((variable["label"], svg.PANEL), (shown, svg.BACKGROUND)):
            width = svg.width_of(text) + 22
            parts.append(svg.rectangle(Box(x, 52, width, 30), fill, f' stroke="{svg.EDGE}"'))
            parts.append(svg.text(x + 10, 71, text))
            x += width
        x += 10
    return parts


def _box(grid: Json) -> Box:
    column = (WIDTH - _GAP) / _COLUMNS
    return Box(
        _GAP + grid["x"] * column,
        _HEAD + grid["y"] * (_UNIT + _GAP),
        grid["w"] * column - _GAP,
        grid["h"] * (_UNIT + _GAP) - _GAP,
    )
