"""Two kinds of chart as SVG, for light and dark pages: lines, and horizontal bars."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_PLOT_WIDTH, _PLOT_HEIGHT, _TOP, _BOTTOM = 475, 300, 50, 50
_BAR_WIDTH, _BAR_HEIGHT = 460, 26
_MARGIN: Final = 20
_AXIS_WIDTH: Final = 70
_LABEL_GAP: Final = 16
# From the end of a line to its name.
_CONNECTOR_WIDTH: Final = 14
# At least as wide as a character is in the mean, so that no text is cut, whatever font a reader has.
_CHARACTER_WIDTH, _TITLE_CHARACTER_WIDTH = 7.2, 9.6
# Colours that the colour-blind can tell apart too (Okabe and Ito); the last is that of the text.
_COLOURS: Final = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "currentColor")
_DASHES: Final = ("", "6 4")
_STYLE: Final = (
    "svg{color:#222}text{font:12px system-ui,sans-serif;fill:currentColor}"
    ".title{font-size:15px;font-weight:600}.background{fill:#fff}.grid{stroke:#ddd}"
    ".line{fill:none;stroke-width:2}.connector{fill:none;stroke-width:1}"
    "@media(prefers-color-scheme:dark)"
    "{svg{color:#e6edf3}.background{fill:#0d1117}.grid{stroke:#30363d}}"
)

Format = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a value for each point of the axis, None where there is none."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Axis:
    """The axis from left to right: its title, and a label for each of its equally spaced points, or none."""

    title: str
    labels: Sequence[str]


def lines(title: str, axis: Axis, drawn: Sequence[Line], text: Format, *, logarithmic: bool) -> str:
    """Draw lines with their names at their ends; `text` writes a value."""
    known = [value for line in drawn for value in line.values if value is not None]
    ticks = _decades(min(known), max(known)) if logarithmic else _even_ticks(max(known))
    left = _MARGIN + _AXIS_WIDTH

    def x_of(index: int) -> float:
        return left + _PLOT_WIDTH * index / max(1, len(axis.labels) - 1)

    def y_of(value: float) -> float:
        return _TOP + _PLOT_HEIGHT * (1 - _position(value, ticks, logarithmic=logarithmic))

    parts = [_title(left, title)]
    for tick in ticks:
        parts.append(f'<path class="grid" d="M{left} {y_of(tick):.1f}h{_PLOT_WIDTH}"/>')
        parts.append(_text(left - 8, y_of(tick) + 4, text(tick), anchor="end"))
    for index, label in enumerate(axis.labels):
        if label:
            parts.append(_text(x_of(index), _TOP + _PLOT_HEIGHT + 18, label, anchor="middle"))
    parts.append(_text(left + _PLOT_WIDTH / 2, _TOP + _PLOT_HEIGHT + 38, axis.title, anchor="middle"))
    ends: list[tuple[float, float, str, str]] = []
    for number, line in enumerate(drawn):
        points = [(x_of(index), y_of(value)) for index, value in enumerate(line.values) if value is not None]
        stroke = _stroke(number)
        parts.append(f'<polyline class="line" {stroke} points="{_points(points)}"/>')
        ends.append((points[-1][1], points[-1][0], line.name, stroke))
    parts += _names(ends)
    names_end = left + _PLOT_WIDTH + _CONNECTOR_WIDTH + 6 + _width(line.name for line in drawn)
    width = max(names_end, left + _TITLE_CHARACTER_WIDTH * len(title)) + _MARGIN
    return _document(title, width, _TOP + _PLOT_HEIGHT + _BOTTOM, parts)


def bars(title: str, drawn: Sequence[tuple[str, float]], text: Format, *, logarithmic: bool) -> str:
    """Draw a bar for each name and value, with the value behind it."""
    values = [value for _, value in drawn if value > 0]
    ticks = _decades(min(values), max(values)) if logarithmic else _even_ticks(max(values))
    left = _MARGIN + _width(name for name, _ in drawn)
    parts = [_title(_MARGIN, title)]
    for index, (name, value) in enumerate(drawn):
        top = _TOP + index * _BAR_HEIGHT
        share = _position(value, ticks, logarithmic=logarithmic) if value > 0 else 0.0
        length = max(1.0, _BAR_WIDTH * share)
        parts.append(_text(left - 8, top + 14, name, anchor="end"))
        path = f"M{left:.1f} {top}h{length:.1f}v{_BAR_HEIGHT - 8}h{-length:.1f}z"
        parts.append(f'<path d="{path}" fill="{_COLOURS[1]}"/>')
        parts.append(_text(left + length + 6, top + 14, text(value)))
    values_end = left + _BAR_WIDTH + 6 + _width(text(value) for _, value in drawn)
    width = max(values_end, _MARGIN + _TITLE_CHARACTER_WIDTH * len(title)) + _MARGIN
    return _document(title, width, _TOP + len(drawn) * _BAR_HEIGHT + _MARGIN, parts)


def _names(ends: list[tuple[float, float, str, str]]) -> list[str]:
    """Write each line's name beside its end, lower where it would lie on another, and connect the two."""
    parts = []
    lowest = float("-inf")
    for end_y, end_x, name, stroke in sorted(ends):
        y = max(end_y, lowest + _LABEL_GAP)
        lowest = y
        points = _points([(end_x, end_y), (end_x + _CONNECTOR_WIDTH, y)])
        parts.append(f'<polyline class="connector" {stroke} points="{points}"/>')
        parts.append(_text(end_x + _CONNECTOR_WIDTH + 6, y + 4, name))
    return parts


def _position(value: float, ticks: Sequence[float], *, logarithmic: bool) -> float:
    """Where a value is between the first tick and the last, from 0 to 1."""
    first, last = ticks[0], ticks[-1]
    if logarithmic:
        return (math.log10(value) - math.log10(first)) / (math.log10(last) - math.log10(first))
    return (value - first) / (last - first)


def _decades(lowest: float, highest: float) -> list[float]:
    first, last = math.floor(math.log10(lowest)), math.ceil(math.log10(highest))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def _even_ticks(highest: float) -> list[float]:
    step = 10 ** math.floor(math.log10(highest)) / 2
    return [step * number for number in range(math.ceil(highest / step) + 1)]


def _stroke(number: int) -> str:
    """The colour of a line by its number, dashed where all colours are taken."""
    dash = _DASHES[number // len(_COLOURS) % len(_DASHES)]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'stroke="{_COLOURS[number % len(_COLOURS)]}"{dashed}'


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _width(texts: Iterable[str]) -> float:
    return _CHARACTER_WIDTH * max(map(len, texts))


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'


def _title(x: float, text: str) -> str:
    return f'<text class="title" x="{x:.1f}" y="25">{html.escape(text)}</text>'


def _document(title: str, width: float, height: float, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img">\n<title>{html.escape(title)}</title>\n'
        f'<style>{_STYLE}</style>\n<rect class="background" width="100%" height="100%"/>\n{body}\n</svg>\n'
    )
