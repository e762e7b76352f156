"""A heatmap panel: buckets over time."""

from __future__ import annotations

from typing import Final

from docs.dashboard import svg
from docs.dashboard.graph import times
from docs.dashboard.panel_data import PanelData
from docs.dashboard.svg import Box
from docs.dashboard.units import format_value
from tests.deploy.dashboard.file import Json

_STEP_SECONDS: Final = 3
_LEFT, _TOP, _RIGHT, _BOTTOM = 52, 34, 10, 30
# The colours of few and of many observations, in the dark theme.
_FEW, _MANY = (24, 53, 92), (222, 235, 247)


def draw(box: Box, panel: Json, data: PanelData) -> list[str]:
    """Draw a rectangle for each bucket and step; its colour shows the number of observations."""
    buckets = data.buckets(panel, _STEP_SECONDS)
    plot = box.inset(_LEFT, _TOP, _RIGHT, _BOTTOM)
    options = panel["options"]
    highest = max((value for values in buckets.values() for value in values.values()), default=1.0)
    height = plot.height / max(1, len(buckets))

    def x_of(at: float) -> float:
        return plot.x + plot.width * (at - data.begin) / (data.end - data.begin)

    parts = times(plot, data, x_of)
    for index, (end, values) in enumerate(buckets.items()):
        top = plot.bottom - height * (index + 1)
        label = "above" if end == "+Inf" else format_value(float(end), options["yAxis"]["unit"])
        parts.append(svg.text(plot.x - 8, top + height / 2 + 4, label, "faint end"))
        for at, value in values.items():
            if value > options["filterValues"]["le"]:
                left = max(x_of(at - _STEP_SECONDS), plot.x)
                cell = Box(left, top + 0.5, x_of(at) - left - 1, height - 1)
                ratio = (value / highest) ** options["color"]["exponent"]
                parts.append(svg.rectangle(cell, _mixed_colour(ratio)))
    return parts


def _mixed_colour(ratio: float) -> str:
    mixed = (round(few + (many - few) * ratio) for few, many in zip(_FEW, _MANY, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)
