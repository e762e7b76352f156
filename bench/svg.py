"""Two kinds of plot as SVG text: lines over steps, and horizontal bars. Nothing else is needed."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_WIDTH, _PLOT_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 800, 300, 90, 235, 50, 50
_BAR_HEIGHT, _BAR_LEFT = 26, 250
_LABEL_GAP = 14
# Distinct also to most who are colour-blind (Okabe and Ito).
_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.title{font-size:15px;font-weight:600}"
    ".grid{stroke:#ddd}.line{fill:none;stroke-width:2}"
)

Write = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot: a value for each step, None where there is none."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Steps:
    """What runs from left to right: a name for each step, empty where none is written, and for all."""

    title: str
    names: Sequence[str]
    under: str


def lines(steps: Steps, drawn: Sequence[Line], write: Write, *, log: bool) -> str:
    """Draw lines over equally spaced steps; `write` writes a value."""
    known = [value for line in drawn for value in line.values if value is not None]
    ticks = _decades(min(known), max(known)) if log else _even(max(known))
    width = _WIDTH - _LEFT - _RIGHT

    def across(index: int) -> float:
        return _LEFT + width * index / max(1, len(steps.names) - 1)

    def down(value: float) -> float:
        return _TOP + _PLOT_HEIGHT * (1 - _place(value, ticks, log=log))

    parts = [_title(_LEFT, steps.title)]
    for tick in ticks:
        parts.append(f'<path class="grid" d="M{_LEFT} {down(tick):.1f}h{width}"/>')
        parts.append(_text(_LEFT - 8, down(tick) + 4, write(tick), anchor="end"))
    for index, step in enumerate(steps.names):
        if step:
            parts.append(_text(across(index), _TOP + _PLOT_HEIGHT + 18, step, anchor="middle"))
    parts.append(_text(_LEFT + width / 2, _TOP + _PLOT_HEIGHT + 38, steps.under, anchor="middle"))
    ends: list[tuple[float, float, str, str]] = []
    for line, colour in zip(drawn, _colours(len(drawn)), strict=True):
        points = [(across(i), down(value)) for i, value in enumerate(line.values) if value is not None]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="line" stroke="{colour}" points="{path}"/>')
        ends.append((points[-1][1], points[-1][0], line.name, colour))
    parts += _end_labels(ends)
    return _document(_TOP + _PLOT_HEIGHT + _BOTTOM, parts)


def bars(title: str, drawn: Sequence[tuple[str, float]], write: Write, *, log: bool) -> str:
    """Draw a bar for each (name, value), with the value behind it."""
    values = [value for _, value in drawn if value > 0]
    ticks = _decades(min(values), max(values)) if log else _even(max(values))
    width = _WIDTH - _BAR_LEFT - 90
    parts = [_title(20, title)]
    for index, (name, value) in enumerate(drawn):
        top = _TOP + index * _BAR_HEIGHT
        length = max(1.0, width * _place(value, ticks, log=log)) if value > 0 else 1.0
        parts.append(_text(_BAR_LEFT - 8, top + 15, name, anchor="end"))
        path = f"M{_BAR_LEFT} {top}h{length:.1f}v{_BAR_HEIGHT - 8}h{-length:.1f}z"
        parts.append(f'<path d="{path}" fill="{_COLOURS[1]}"/>')
        parts.append(_text(_BAR_LEFT + length + 6, top + 14, write(value)))
    return _document(_TOP + len(drawn) * _BAR_HEIGHT + 20, parts)


def _end_labels(ends: list[tuple[float, float, str, str]]) -> list[str]:
    """Write each line's name at its end, moved down where two would overlap."""
    parts = []
    lowest = float("-inf")
    for end_y, end_x, name, colour in sorted(ends):
        y = max(end_y, lowest + _LABEL_GAP)
        lowest = y
        parts.append(_text(end_x + 8, y + 4, name, colour=colour))
    return parts


def _place(value: float, ticks: Sequence[float], *, log: bool) -> float:
    first, last = ticks[0], ticks[-1]
    if log:
        return (math.log10(value) - math.log10(first)) / (math.log10(last) - math.log10(first))
    return (value - first) / (last - first)


def _decades(lowest: float, highest: float) -> list[float]:
    first, last = math.floor(math.log10(lowest)), math.ceil(math.log10(highest))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def _even(highest: float) -> list[float]:
    step = 10 ** math.floor(math.log10(highest)) / 2
    return [step * number for number in range(math.ceil(highest / step) + 1)]


def _colours(count: int) -> list[str]:
    return [_COLOURS[index % len(_COLOURS)] for index in range(count)]


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = "") -> str:
    fill = f' style="fill:{colour}"' if colour else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{fill}>{html.escape(text)}</text>'


def _title(x: float, text: str) -> str:
    return f'<text class="title" x="{x:.1f}" y="25">{html.escape(text)}</text>'


def _document(height: float, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}" '
        f'height="{height:.0f}">\n<style>{_STYLE}</style>\n<rect width="100%" height="100%" fill="#fff"/>\n'
        f"{body}\n</svg>\n"
    )
