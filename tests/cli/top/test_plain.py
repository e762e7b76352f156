"""The table of `top` for terminals that can do little."""

from __future__ import annotations

import pytest

from exporter.cli.colour import Colour, painted
from exporter.cli.top.plain import fitting

LINES = [str(number) for number in range(30)]


@pytest.mark.parametrize(
    ("count", "rows", "shown"),
    [
        (3, 24, LINES[:3]),
        (23, 24, LINES[:23]),
        (24, 24, [*LINES[:22], "2 more"]),
        (30, 10, [*LINES[:8], "22 more"]),
        (3, 0, LINES[:3]),
        (30, 0, [*LINES[:22], "8 more"]),
    ],
)
def test_lines_that_do_not_fit_are_counted(count: int, rows: int, shown: list[str]) -> None:
    assert fitting(LINES[:count], rows, 80) == shown


def test_a_line_that_is_longer_than_a_row_takes_several() -> None:
    long = ["not seen: " + "x" * 200, *LINES]
    assert fitting(long, 24, 80) == [*long[:20], "11 more"]
    assert fitting(long[:20], 24, 80) == [*long[:20]]
    assert fitting(["長" * 41, *LINES[:7]], 9, 80) == ["長" * 41, *LINES[:5], "2 more"]


def test_colours_take_no_space() -> None:
    lines = [painted("x" * 80, Colour.RED)] * 5
    assert fitting(lines, 6, 80) == lines
