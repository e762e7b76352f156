"""A table panel."""

from __future__ import annotations

from typing import Final

from docs.dashboard import settings, svg
from docs.dashboard.panel_data import PanelData
from docs.dashboard.svg import Box
from docs.dashboard.units import format_value
from tests.deploy.dashboard.file import Json

_ROW, _BASELINE, _TOP, _PADDING = 36, 23, 34, 8
_FONT: Final = 13
_GAUGE_TEXT: Final = 48


def draw(box: Box, panel: Json, data: PanelData) -> list[str]:
    """Draw the columns that are not hidden, and as many rows as fit."""
    rows = data.table(panel)
    settings_of = {
        title: found
        for title in max(rows, key=len)
        if not (found := settings.of_column(panel, title)).get("custom.hidden")
    }
    inner = box.inset(1, _TOP, 1, 1)
    columns = _columns(inner, settings_of)
    sorted_by = panel["options"]["sortBy"][0]
    parts = []
    for title, column in columns.items():
        arrow = (" ↓" if sorted_by["desc"] else " ↑") if title == sorted_by["displayName"] else ""
        number = any(isinstance(row.get(title), float) for row in rows) and not settings_of[title].get(
            "mappings"
        )
        parts.append(_aligned(column, title + arrow, "title faint", right=number))
    for index, row in enumerate(rows[: int(inner.height / _ROW) - 1]):
        top = inner.y + _ROW * (index + 1)
        parts.append(svg.grid_line(inner, top))
        for title, column in columns.items():
            cell = Box(column.x, top, column.width, _ROW)
            parts += _cell(cell, row.get(title, ""), settings_of[title])
    return parts


def _columns(inner: Box, settings_of: dict[str, Json]) -> dict[str, Box]:
    """Columns without a width share what the others leave; none is narrower than its minimum."""
    fixed = {title: each["custom.width"] for title, each in settings_of.items() if "custom.width" in each}
    share = (inner.width - sum(fixed.values())) / (len(settings_of) - len(fixed))
    least = {
        title: need
        for title, each in settings_of.items()
        if title not in fixed and (need := each.get("custom.minWidth", 0)) > share
    }
    left = inner.width - sum(fixed.values()) - sum(least.values())
    share = left / max(1, len(settings_of) - len(fixed) - len(least))
    x = inner.x
    boxes = {}
    for title in settings_of:
        width = fixed.get(title, least.get(title, share))
        boxes[title] = Box(x, inner.y, width, inner.height)
        x += width
    return boxes


def _cell(cell: Box, value: object, column: Json) -> list[str]:
    if not isinstance(value, float):
        linked = "#6e9fff" if "links" in column else ""
        return [_aligned(cell, str(value), "cell", fill=linked)]
    if found := settings.mapped_value(column, value):
        return [_aligned(cell, found[0], "cell", fill=found[1])]
    shown = format_value(value, column["unit"], column.get("decimals"))
    kind = column.get("custom.cellOptions", {}).get("type")
    fill = settings.threshold_colour(column, value) if kind in {"color-text", "gauge"} else ""
    if kind != "gauge":
        return [_aligned(cell, shown, "cell", fill=fill, right=True)]
    bar = cell.inset(_PADDING, 9, _PADDING + _GAUGE_TEXT, 9)
    filled = Box(bar.x, bar.y, bar.width * min(1.0, value / column["max"]), bar.height)
    return [
        svg.rectangle(bar, "#22252b", ' rx="2"'),
        svg.rectangle(filled, fill, ' rx="2" fill-opacity="0.7"'),
        _aligned(cell, shown, "cell", fill=fill, right=True),
    ]


def _aligned(column: Box, text: str, classes: str, fill: str = "", *, right: bool = False) -> str:
    y = column.y + _BASELINE
    shown = svg.shorten(text, column.width - 2 * _PADDING + 6, _FONT)
    if right:
        return svg.text(column.right - _PADDING, y, shown, f"{classes} end", fill)
    return svg.text(column.x + _PADDING, y, shown, classes, fill)
