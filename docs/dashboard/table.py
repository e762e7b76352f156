"""A panel with a table."""

from __future__ import annotations

from typing import Final

from docs.dashboard import settings, svg
from docs.dashboard.data import Data
from docs.dashboard.svg import Box
from docs.dashboard.units import written
from tests.deploy.dashboard.file import Json

_LINE, _BASE, _TOP, _PADDING = 36, 23, 34, 8
_FONT: Final = 13
_GAUGE_TEXT: Final = 48


def draw(box: Box, panel: Json, data: Data) -> list[str]:
    """Draw the columns that are not hidden, and the lines that there is room for."""
    found = data.table(panel)
    looks = {
        title: look
        for title in max(found, key=len)
        if not (look := settings.of_column(panel, title)).get("custom.hidden")
    }
    inner = box.within(1, _TOP, 1, 1)
    columns = _columns(inner, looks)
    sorted_by = panel["options"]["sortBy"][0]
    parts = []
    for title, column in columns.items():
        arrow = (" ↓" if sorted_by["desc"] else " ↑") if title == sorted_by["displayName"] else ""
        number = any(isinstance(line.get(title), float) for line in found) and not looks[title].get(
            "mappings"
        )
        parts.append(_aligned(column, title + arrow, "title faint", right=number))
    for index, line in enumerate(found[: int(inner.height / _LINE) - 1]):
        top = inner.y + _LINE * (index + 1)
        parts.append(svg.level(inner, top))
        for title, column in columns.items():
            cell = Box(column.x, top, column.width, _LINE)
            parts += _cell(cell, line.get(title, ""), looks[title])
    return parts


def _columns(inner: Box, looks: dict[str, Json]) -> dict[str, Box]:
    """Columns with a width have it, and the others share what is left, but none gets less than it needs."""
    fixed = {title: look["custom.width"] for title, look in looks.items() if "custom.width" in look}
    share = (inner.width - sum(fixed.values())) / (len(looks) - len(fixed))
    least = {
        title: need
        for title, look in looks.items()
        if title not in fixed and (need := look.get("custom.minWidth", 0)) > share
    }
    left = inner.width - sum(fixed.values()) - sum(least.values())
    share = left / max(1, len(looks) - len(fixed) - len(least))
    x = inner.x
    boxes = {}
    for title in looks:
        width = fixed.get(title, least.get(title, share))
        boxes[title] = Box(x, inner.y, width, inner.height)
        x += width
    return boxes


def _cell(cell: Box, value: object, look: Json) -> list[str]:
    if not isinstance(value, float):
        linked = "#6e9fff" if "links" in look else ""
        return [_aligned(cell, str(value), "cell", fill=linked)]
    if found := settings.word(look, value):
        return [_aligned(cell, found[0], "cell", fill=found[1])]
    shown = written(value, look["unit"], look.get("decimals"))
    kind = look.get("custom.cellOptions", {}).get("type")
    fill = settings.threshold_colour(look, value) if kind in {"color-text", "gauge"} else ""
    if kind != "gauge":
        return [_aligned(cell, shown, "cell", fill=fill, right=True)]
    bar = cell.within(_PADDING, 9, _PADDING + _GAUGE_TEXT, 9)
    filled = Box(bar.x, bar.y, bar.width * min(1.0, value / look["max"]), bar.height)
    return [
        svg.rectangle(bar, "#22252b", ' rx="2"'),
        svg.rectangle(filled, fill, ' rx="2" fill-opacity="0.7"'),
        _aligned(cell, shown, "cell", fill=fill, right=True),
    ]


def _aligned(column: Box, text: str, classes: str, fill: str = "", *, right: bool = False) -> str:
    y = column.y + _BASE
    shown = svg.fitting(text, column.width - 2 * _PADDING + 6, _FONT)
    if right:
        return svg.text(column.right - _PADDING, y, shown, f"{classes} end", fill)
    return svg.text(column.x + _PADDING, y, shown, classes, fill)
