"""The tables in pictures: every cell begins or ends where its column's heading does, in a real browser."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from pathlib import Path

from docs.show import draw
from testbed.chromium import Chromium
from tests.deploy.dashboard import file
from tests.docs.rendering import Text, Word, render

DOCS = file.ROOT / "docs"
PIXELS = 1.0
PROMPT = "$"


# Numbers longer than their headings, a line of one column less, and signs that have a meaning in XML.
OTHER_LINES = (
    "$ listen-queue-exporter show",
    "LISTENER             NETNS    OWNER                                   QUEUE  STATE",
    "[2001:db8::1]:65535  pod/<&>  php-fpm8.2 (c1)  4294967295/4294967295 ██████  full",
    "@x                   host     -                                  0/0 ░░░░░░  ok",
    "",
    "$ exit",
)


def test_show_has_every_cell_below_its_heading(browser: Chromium) -> None:
    _expect_columns(browser, DOCS / "show.svg")


def test_show_has_columns_whatever_is_printed(browser: Chromium, tmp_path: Path) -> None:
    drawn = tmp_path / "other.svg"
    drawn.write_text(draw(OTHER_LINES))
    _expect_columns(browser, drawn)


def test_columns_are_where_the_terminal_has_them(browser: Chromium, tmp_path: Path) -> None:
    """As many characters of equal width from the left as in the printed line."""
    drawn = tmp_path / "other.svg"
    drawn.write_text(draw(OTHER_LINES))
    lines = _lines(render(browser, drawn).texts)
    printed = [line for line in OTHER_LINES if line]
    assert [[word.text for word in line] for line in lines] == [line.split() for line in printed]
    positions = [
        (line.index(f" {word.text}") + 1 if number else 0, word.box.left)
        for line, words in zip(printed[1:4], lines[1:4], strict=True)
        for number, word in enumerate(words[:2])
    ]
    (_, margin), *_ = positions
    longest = max((word for line in lines for word in line), key=lambda word: len(word.text))
    character = (longest.box.right - longest.box.left) / len(longest.text)
    assert all(abs(left - margin - character * index) < PIXELS for index, left in positions)


def test_dashboard_has_every_cell_below_its_heading(browser: Chromium) -> None:
    texts = render(browser, DOCS / "dashboard.svg").texts
    shown = file.panel(file.load(), "Listeners")["transformations"][1]["options"]["renameByName"].values()
    top = next(text.box.top for text in texts if text.text == "State")
    bottom = next(text.box.top for text in texts if text.text == "The chosen listener over time")
    heading = [text for text in texts if abs(text.box.top - top) < PIXELS]
    # The host of the picture has no label `cluster`.
    assert {title.text.removesuffix(" ↓") for title in heading} == set(shown) - {"Cluster", "Listener"}
    cells = [text for text in texts if top + PIXELS < text.box.top < bottom]
    rows = [list(row) for _, row in groupby(cells, key=lambda cell: round(cell.box.top))]
    assert len(rows) > 1
    for row in rows:
        columns = [_column(cell, heading) for cell in row]
        assert all(len(found) == 1 for found in columns), list(zip(row, columns, strict=True))
        assert len({title for found in columns for title in found}) == len(row)


def _expect_columns(browser: Chromium, picture: Path) -> None:
    """Look at what `listen-queue-exporter show` prints, which is between the two prompts."""
    texts = render(browser, picture).texts
    lines = _together([cell for text in texts for cell in text.cells])
    first, second = (index for index, line in enumerate(lines) if line[0].text.startswith(PROMPT))
    heading, *rows = lines[first + 1 : second]
    assert len(rows) > 1
    assert all(one.box.right < other.box.left for one, other in pairwise(heading))
    for row in rows:
        assert [_column(cell, heading) for cell in row] == [[title.text] for title in heading]


def _lines(texts: Sequence[Text]) -> list[list[Word]]:
    return _together([word for text in texts for word in text.words])


def _together(words: Sequence[Word]) -> list[list[Word]]:
    return [list(line) for _, line in groupby(words, key=lambda word: round(word.box.top))]


def _column(cell: Text | Word, heading: Sequence[Text | Word]) -> list[str]:
    """The headings that a cell begins or ends with."""
    return [
        title.text
        for title in heading
        if abs(cell.box.left - title.box.left) < PIXELS or abs(cell.box.right - title.box.right) < PIXELS
    ]
