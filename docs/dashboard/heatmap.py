"""A panel with buckets over time."""

from __future__ import annotations

from typing import Final

from docs.dashboard import svg
from docs.dashboard.data import Data
from docs.dashboard.graph import times
from docs.dashboard.svg import Box
from docs.dashboard.units import written
from tests.deploy.dashboard.file import Json

_STEP_SECONDS: Final = 3
_LEFT, _TOP, _RIGHT, _BOTTOM = 52, 34, 10, 30
# From few to many, on a dark ground.
_FEW, _MANY = (24, 53, 92), (222, 235, 247)


def draw(box: Box, panel: Json, data: Data) -> list[str]:
    """Draw a rectangle for each bucket and moment, the more observations the stronger."""
    buckets = data.buckets(panel, _STEP_SECONDS)
    plot = box.within(_LEFT, _TOP, _RIGHT, _BOTTOM)
    options = panel["options"]
    most = max((value for values in buckets.values() for value in values.values()), default=1.0)
    height = plot.height / max(1, len(buckets))

    def across(at: float) -> float:
        return plot.x + plot.width * (at - data.begin) / (data.end - data.begin)

    parts = times(plot, data, across)
    for index, (end, values) in enumerate(buckets.items()):
        top = plot.bottom - height * (index + 1)
        label = "above" if end == "+Inf" else written(float(end), options["yAxis"]["unit"])
        parts.append(svg.text(plot.x - 8, top + height / 2 + 4, label, "faint end"))
        for at, value in values.items():
            if value > options["filterValues"]["le"]:
                left = max(across(at - _STEP_SECONDS), plot.x)
                cell = Box(left, top + 0.5, across(at) - left - 1, height - 1)
                strength = (value / most) ** options["color"]["exponent"]
                parts.append(svg.rectangle(cell, _between(strength)))
    return parts


def _between(strength: float) -> str:
    mixed = (round(few + (many - few) * strength) for few, many in zip(_FEW, _MANY, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)
