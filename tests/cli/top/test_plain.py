"""The table of `top` for terminals that can do little."""

from __future__ import annotations

import pytest

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
    assert fitting(LINES[:count], rows) == shown
