"""What Chromium makes of a picture: where each text is, and how well it can be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from testbed.chromium import Chromium

# Rectangles are in pixels of the window, which has the size of the picture. The contrast is that of WCAG 2.1
# (https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio) between a text and the topmost opaque shape below it.
_MEASURE = r"""
(() => {
    const rectangle = ({left, top, right, bottom}) => ({left, top, right, bottom});

    const parts = (element, pattern) => {
        const found = [];
        const nodes = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
        while (nodes.nextNode()) {
            for (const match of nodes.currentNode.data.matchAll(pattern)) {
                const range = document.createRange();
                range.setStart(nodes.currentNode, match.index);
                range.setEnd(nodes.currentNode, match.index + match[0].length);
                found.push({text: match[0], box: rectangle(range.getBoundingClientRect())});
            }
        }
        return found;
    };

    const channels = colour => colour.match(/[\d.]+/g).map(Number);
    const luminance = colour => {
        const [red, green, blue] = channels(colour).slice(0, 3)
            .map(value => value / 255)
            .map(value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const opaque = element => {
        const style = getComputedStyle(element);
        return element instanceof SVGGeometryElement && style.fill.startsWith('rgb')
            && Number(style.fillOpacity) === 1;
    };
    const background = (x, y) => getComputedStyle(document.elementsFromPoint(x, y).find(opaque)).fill;
    const contrast = (element, box) => {
        const behind = background((box.left + box.right) / 2, (box.top + box.bottom) / 2);
        const [darker, lighter] = [luminance(getComputedStyle(element).fill), luminance(behind)]
            .sort((one, other) => one - other);
        return (lighter + 0.05) / (darker + 0.05);
    };

    return [...document.querySelectorAll('text')].filter(element => element.textContent).map(element => {
        const box = rectangle(element.getBoundingClientRect());
        return {
            text: element.textContent,
            box,
            words: parts(element, /\S+/g),
            cells: parts(element, /\S+(?: \S+)*/g),
            contrast: contrast(element, box),
        };
    });
})()
"""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """How far they reach into each other, in the direction in which it is less; below 0 where apart."""
        return min(
            min(self.right, other.right) - max(self.left, other.left),
            min(self.bottom, other.bottom) - max(self.top, other.top),
        )


@dataclass(frozen=True, slots=True)
class Word:
    """A part of a text without white space."""

    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class Text:
    """A `text` element, and the contrast ratio between it and its background, from 1 to 21.

    `cells` are its parts between which there is more than one blank, or which are elements of their own.
    """

    text: str
    box: Box
    words: tuple[Word, ...]
    cells: tuple[Word, ...]
    contrast: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendered picture: its size in pixels, its texts in the order of the file, and the window as PNG."""

    width: float
    height: float
    texts: tuple[Text, ...]
    screenshot: bytes


def render(browser: Chromium, file: Path, scheme: Literal["light", "dark"] = "light") -> Picture:
    """Load an SVG file in a window of its own size and measure its texts."""
    browser.open(file, width=800, height=600, scheme=scheme)
    width, height = browser.evaluate(
        "[document.documentElement.width.baseVal.value, document.documentElement.height.baseVal.value]"
    )
    # Shapes outside of the window are not found by their position.
    browser.open(file, width=round(width), height=round(height), scheme=scheme)
    return Picture(
        width,
        height,
        tuple(
            Text(
                found["text"],
                Box(**found["box"]),
                tuple(Word(word["text"], Box(**word["box"])) for word in found["words"]),
                tuple(Word(cell["text"], Box(**cell["box"])) for cell in found["cells"]),
                found["contrast"],
            )
            for found in browser.evaluate(_MEASURE)
        ),
        browser.screenshot(),
    )
