"""The SVG elements of panels, in the colours of Grafana's dark theme."""

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

# Grafana's names of colours, in its dark theme.
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
    ".note{font-size:12px;font-weight:400;fill:#8e8f98}.head{font-size:18px;font-weight:500}.cell{font-size:13px}.end{text-anchor:end}.mid{text-anchor:middle}"
    ".grid{stroke:#2b2e34;fill:none}.line{fill:none;stroke-linejoin:round}"
)
# The mean width of a character, relative to the font size.
_CHARACTER: Final = 0.58


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the page, in pixels."""

    x: float
    y: float
    width: float
    height: float

    def inset(self, left: float, top: float, right: float, bottom: float) -> Box:
        """The rectangle within these margins."""
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
    """A colour by Grafana's name; other names are returned as they are."""
    return _COLOURS.get(name, name)


def text(x: float, y: float, content: str, classes: str = "", fill: str = "") -> str:
    """A line of text, whose baseline begins at x and y."""
    named = f' class="{classes}"' if classes else ""
    filled = f' style="fill:{colour(fill)}"' if fill and fill != "text" else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{named}{filled}>{html.escape(content, quote=False)}</text>'


def title(x: float, y: float, content: str, note: str = "") -> str:
    """A title, and a note in smaller letters behind it where there is one."""
    behind = f'<tspan class="note" dx="12">{html.escape(note, quote=False)}</tspan>' if note else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="title">{html.escape(content, quote=False)}{behind}</text>'


def rectangle(box: Box, fill: str, attributes: str = "") -> str:
    """A filled rectangle."""
    return (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{max(box.width, 0):.1f}" height="{box.height:.1f}" '
        f'fill="{colour(fill)}"{attributes}/>'
    )


def line(points: Sequence[tuple[float, float]], stroke: str, width: float, dash: Iterable[int] = ()) -> str:
    """A line through points."""
    dashed = " ".join(map(str, dash))
    more = f' stroke-dasharray="{dashed}"' if dashed else ""
    return (
        f'<path class="line" d="{_path(points)}" stroke="{colour(stroke)}" stroke-width="{width:g}"{more}/>'
    )


def area(points: Sequence[tuple[float, float]], base: float, fill: str, opacity: float) -> str:
    """The area between a line and a horizontal line at `base` below it."""
    closed = f"{_path(points)}V{base:.1f}H{points[0][0]:.1f}Z"
    return f'<path d="{closed}" fill="{colour(fill)}" fill-opacity="{opacity:g}"/>'


def grid_line(box: Box, y: float) -> str:
    """A horizontal line of the grid."""
    return f'<path class="grid" d="M{box.x:.1f} {y:.1f}H{box.right:.1f}"/>'


def width_of(content: str, size: float = 12) -> float:
    """An estimate of the width of a text."""
    return len(content) * size * _CHARACTER


def shorten(content: str, width: float, size: float = 12) -> str:
    """A text, or its beginning and an ellipsis where it is wider than `width`."""
    characters = int(width / (size * _CHARACTER))
    return content if len(content) <= characters else f"{content[: max(characters - 1, 0)]}…"


def document(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """An SVG document; screen readers read its title."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img">\n<title>{html.escape(title)}</title>\n'
        f'<style>{_STYLE}</style>\n<rect width="100%" height="100%" fill="{BACKGROUND}"/>\n{body}\n</svg>\n'
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
