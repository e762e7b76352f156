"""SVG as text: the few shapes that panels are made of, in the colours of Grafana's dark theme."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

BACKGROUND: Final = "#111217"
PANEL: Final = "#181b1f"
EDGE: Final = "#2a2d33"
TEXT: Final = "#ccccdc"
FAINT: Final = "#8e8f98"

# Grafana's names of colours, as they are on a dark ground.
_COLOURS: Final = {
    "blue": "#5794f2",
    "green": "#73bf69",
    "orange": "#ff9830",
    "purple": "#b877d9",
    "red": "#f2495c",
    "text": TEXT,
    "transparent": "none",
}
_STYLE: Final = (
    "text{font-family:Inter,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:12px;fill:#ccccdc}"
    ".title{font-size:14px;font-weight:500}.faint{fill:#8e8f98}.big{font-size:44px;font-weight:500}"
    ".head{font-size:18px;font-weight:500}.cell{font-size:13px}.end{text-anchor:end}.mid{text-anchor:middle}"
    ".grid{stroke:#2b2e34;fill:none}.line{fill:none;stroke-linejoin:round}"
)
# The mean width of a character, as a share of the size of the font.
_CHARACTER: Final = 0.58


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the page, in pixels."""

    x: float
    y: float
    width: float
    height: float

    def within(self, left: float, top: float, right: float, bottom: float) -> Box:
        """What is left between such margins."""
        return Box(self.x + left, self.y + top, self.width - left - right, self.height - top - bottom)

    @property
    def right(self) -> float:
        """The x of the right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y of the lower edge."""
        return self.y + self.height


def colour(name: str) -> str:
    """A colour by Grafana's name, or as it is."""
    return _COLOURS.get(name, name)


def text(x: float, y: float, written: str, classes: str = "", fill: str = "") -> str:
    """A line of text, whose baseline begins at x and y."""
    named = f' class="{classes}"' if classes else ""
    filled = f' style="fill:{colour(fill)}"' if fill and fill != "text" else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{named}{filled}>{html.escape(written, quote=False)}</text>'


def rectangle(box: Box, fill: str, more: str = "") -> str:
    """A filled rectangle."""
    return (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{max(box.width, 0):.1f}" height="{box.height:.1f}" '
        f'fill="{colour(fill)}"{more}/>'
    )


def line(points: Sequence[tuple[float, float]], stroke: str, width: float, dash: Iterable[int] = ()) -> str:
    """A line through points."""
    dashed = " ".join(map(str, dash))
    more = f' stroke-dasharray="{dashed}"' if dashed else ""
    return (
        f'<path class="line" d="{_path(points)}" stroke="{colour(stroke)}" stroke-width="{width:g}"{more}/>'
    )


def area(points: Sequence[tuple[float, float]], base: float, fill: str, opacity: float) -> str:
    """What is between a line and a level below it."""
    closed = f"{_path(points)}V{base:.1f}H{points[0][0]:.1f}Z"
    return f'<path d="{closed}" fill="{colour(fill)}" fill-opacity="{opacity:g}"/>'


def level(box: Box, y: float) -> str:
    """A line of the grid from left to right."""
    return f'<path class="grid" d="M{box.x:.1f} {y:.1f}H{box.right:.1f}"/>'


def width_of(written: str, size: float = 12) -> float:
    """About how wide a text is."""
    return len(written) * size * _CHARACTER


def fitting(written: str, width: float, size: float = 12) -> str:
    """A text that is cut where there is no room for it."""
    most = int(width / (size * _CHARACTER))
    return written if len(written) <= most else f"{written[: max(most - 1, 0)]}…"


def document(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """A whole picture; the title is what is read out for it."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img">\n<title>{html.escape(title)}</title>\n'
        f'<style>{_STYLE}</style>\n<rect width="100%" height="100%" fill="{BACKGROUND}"/>\n{body}\n</svg>\n'
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
