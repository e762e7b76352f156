"""A time series panel: lines over time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Final

from docs.dashboard import svg
from docs.dashboard.panel_data import Annotation, GraphLine, PanelData
from docs.dashboard.svg import Box
from docs.dashboard.units import format_value
from tests.deploy.dashboard.file import Json

_LEFT, _RIGHT, _TOP, _TIMES, _LEGEND_LINE = 52, 10, 34, 22, 18
_X_STEP_SECONDS: Final = 30
_TICKS: Final = 5
# The opacities of the first, second and further series of one colour.
_SHADES: Final = (1.0, 0.7, 0.5, 0.35)
_PALETTE: Final = ("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0")


def draw(box: Box, panel: Json, data: PanelData) -> list[str]:
    """Draw the grid, the annotations, the lines and a legend."""
    lines = data.lines(panel)
    legend = _legend_lines([each.name for each in lines], box.width - 20)
    plot = box.inset(_LEFT, _TOP, _RIGHT, _TIMES + len(legend) * _LEGEND_LINE + 8)
    ticks = _ticks(panel, lines)
    defaults = panel["fieldConfig"]["defaults"]

    def x_of(at: float) -> float:
        return plot.x + plot.width * (at - data.begin) / (data.end - data.begin)

    def y_of(value: float) -> float:
        return plot.bottom - plot.height * min(value / ticks[-1], 1)

    parts = []
    for tick in ticks:
        parts.append(svg.grid_line(plot, y_of(tick)))
        label = format_value(tick, defaults["unit"], defaults.get("decimals"))
        parts.append(svg.text(plot.x - 8, y_of(tick) + 4, label, "faint end"))
    parts += times(plot, data, x_of)
    parts += [_annotation(found, plot, x_of) for found in data.annotations()]
    colours = _colours(lines)
    for each, (colour, opacity) in zip(lines, colours, strict=True):
        parts += _line(
            each, colour, opacity, plot.bottom, [(x_of(at), y_of(v)) for at, v in each.values.items()]
        )
    parts += _legend(
        legend, lines, [colour for colour, _ in colours], Box(box.x + 10, plot.bottom + _TIMES + 16, 0, 0)
    )
    return parts


def times(plot: Box, data: PanelData, x_of: Callable[[float], float]) -> list[str]:
    """The labels of the time axis below a plot, in UTC."""
    first = math.ceil(data.begin / _X_STEP_SECONDS) * _X_STEP_SECONDS
    steps = range(first, math.floor(data.end) + 1, _X_STEP_SECONDS)
    narrow = plot.width < len(steps) * svg.width_of("00:00:00 ")
    return [
        svg.text(x_of(at), plot.bottom + 17, time.strftime("%H:%M:%S", time.gmtime(at)), "faint mid")
        for index, at in enumerate(steps)
        if plot.x + 20 <= x_of(at) <= plot.right - 20 and not (narrow and index % 2)
    ]


def _line(
    each: GraphLine, colour: str, shade: float, base: float, points: list[tuple[float, float]]
) -> Iterable[str]:
    settings = each.settings
    if fill := settings.get("custom.fillOpacity", 0):
        yield svg.area(points, base, colour, round(fill / 100 * shade, 3))
    dash = settings.get("custom.lineStyle", {}).get("dash", ())
    yield svg.line(points, colour, settings.get("custom.lineWidth", 1), dash)


def _colours(lines: list[GraphLine]) -> list[tuple[str, float]]:
    """The colour and the opacity of each line."""
    found: list[tuple[str, float]] = []
    for each in lines:
        chosen = each.settings["color"]
        same = sum(colour == svg.colour(chosen.get("fixedColor", "")) for colour, _ in found)
        if chosen["mode"] == "fixed":
            found.append((svg.colour(chosen["fixedColor"]), 1.0))
        elif chosen["mode"] == "shades":
            found.append((svg.colour(chosen["fixedColor"]), _SHADES[same % len(_SHADES)]))
        else:
            found.append((_PALETTE[len(found) % len(_PALETTE)], 1.0))
    return found


def _ticks(panel: Json, lines: list[GraphLine]) -> list[float]:
    defaults = panel["fieldConfig"]["defaults"]
    highest = max((value for each in lines for value in each.values.values()), default=1.0)
    top = defaults.get("max") or max(highest, defaults.get("custom", {}).get("axisSoftMax", 0)) or 1.0
    raw = top / _TICKS
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    return [step * number for number in range(math.ceil(top / step * 0.999) + 1)]


def _annotation(found: Annotation, plot: Box, x_of: Callable[[float], float]) -> str:
    left, right = max(x_of(found.begin), plot.x), min(x_of(found.end), plot.right)
    region = svg.rectangle(Box(left, plot.y, right - left, plot.height), found.colour, ' fill-opacity="0.08"')
    edge = svg.line([(left, plot.y), (left, plot.bottom)], found.colour, 1, (3, 3))
    foot = f'<path d="M{left - 4:.1f} {plot.bottom + 6:.1f}h8l-4 -6z" fill="{svg.colour(found.colour)}"/>'
    return region + edge + foot


def _legend_lines(names: list[str], width: float) -> list[list[str]]:
    rows: list[list[str]] = [[]]
    used = 0.0
    for name in names:
        needed = svg.width_of(name) + 34
        if used + needed > width and rows[-1]:
            rows.append([])
            used = 0.0
        rows[-1].append(name)
        used += needed
    return rows


def _legend(rows: list[list[str]], lines: list[GraphLine], colours: list[str], at: Box) -> list[str]:
    parts = []
    styles = iter(zip(lines, colours, strict=True))
    for index, row in enumerate(rows):
        x, y = at.x, at.y + index * _LEGEND_LINE
        for name in row:
            each, colour = next(styles)
            dash = (4, 3) if "custom.lineStyle" in each.settings else ()
            parts.append(svg.line([(x, y - 4), (x + 14, y - 4)], colour, 3, dash))
            parts.append(svg.text(x + 20, y, name))
            x += svg.width_of(name) + 34
    return parts
