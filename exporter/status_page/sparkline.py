"""How full a queue is and was, as shapes of SVG; the Content-Security-Policy of the page allows no style."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from exporter.status_page.markup import Markup, element, joined

_HEIGHT: Final = 24
_CHART_HEIGHT: Final = 100
_BAR_WIDTH: Final = 100
_FULL: Final = 1.0


def sparkline(ratios: Sequence[float | None], label: str) -> Markup:
    """Return the ratios of equal spans of time as a small picture; `label` is its text for screen readers."""
    return _picture("spark", _HEIGHT, ratios, label)


def chart(ratios: Sequence[float | None], label: str, thresholds: Sequence[tuple[str, float]] = ()) -> Markup:
    """Return the same as a large picture, with a line for each threshold: its severity and its ratio."""
    lines = [
        element(
            "line",
            x1=0,
            x2=len(ratios),
            y1=_top(ratio, _CHART_HEIGHT),
            y2=_top(ratio, _CHART_HEIGHT),
            class_=f"threshold {severity}",
            vector_effect="non-scaling-stroke",
        )
        for severity, ratio in thresholds
    ]
    return _picture("chart", _CHART_HEIGHT, ratios, label, *lines)


def bar(ratio: float | None, state: str) -> Markup:
    """Return a bar; it is hidden from screen readers, since its figures stand beside it."""
    filled = 0.0 if ratio is None else _BAR_WIDTH - _top(ratio, _BAR_WIDTH)
    return element(
        "svg",
        element("rect", width=f"{filled:g}", height=1),
        class_=f"bar {state}",
        viewBox=f"0 0 {_BAR_WIDTH} 1",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _picture(kind: str, height: int, ratios: Sequence[float | None], label: str, *further: Markup) -> Markup:
    full = any(ratio is not None and ratio >= _FULL for ratio in ratios)
    return element(
        "svg",
        element("path", d=area(ratios, height), class_="area"),
        element("path", d=_unknown(ratios, height), class_="unknown"),
        joined(*further),
        class_=f"{kind} full" if full else kind,
        viewBox=f"0 0 {len(ratios)} {height}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )


def area(ratios: Sequence[float | None], height: int) -> str:
    """Return a path of steps, each one unit wide: 1.0 and more is at the top, 0 at the bottom.

    What is not known is left out.
    """
    path: list[str] = []
    at, known = 0, False
    for top, run in groupby(ratios, lambda ratio: None if ratio is None else _top(ratio, height)):
        end = at + sum(1 for _ in run)
        if top is not None:
            path.append(f"V{top:g}H{end}" if known else f"M{at} {height}V{top:g}H{end}")
        elif known:
            path.append(f"V{height}Z")
        at, known = end, top is not None
    return "".join([*path, f"V{height}Z"] if known else path)


def _unknown(ratios: Sequence[float | None], height: int) -> str | None:
    path: list[str] = []
    at = 0
    for unknown, run in groupby(ratios, lambda ratio: ratio is None):
        end = at + sum(1 for _ in run)
        if unknown:
            path.append(f"M{at} 0H{end}V{height}H{at}Z")
        at = end
    return "".join(path)


def _top(ratio: float, height: int) -> float:
    """Return where a ratio is, from the top; one connection is seen, however long the queue may be."""
    least = 1.0 if ratio > 0 else 0.0
    return height - max(least, round(min(ratio, _FULL) * height, 1))
