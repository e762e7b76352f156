"""Columns of `top` at every width."""

from __future__ import annotations

import pytest

from exporter.cli import table
from exporter.cli.top import columns
from tests.cli.show.rows import listener, waiting

FULL = waiting(10, state="full")


def titles(width: int, netns: str = "host") -> list[str]:
    return [each.title for each in columns.columns([listener(netns=netns)], width)]


@pytest.mark.parametrize("width", [60, 80, 100, 132, 200])
def test_they_fill_the_width_and_no_more(width: int) -> None:
    fitting = columns.columns([FULL], width)
    widths = columns.widths(fitting, width)
    assert width - len(fitting) <= sum(each + 2 for each in widths) <= width


def test_the_least_important_are_left_out_first() -> None:
    assert titles(200, "pod") == [
        *("LISTENER", "NETNS", "OWNER", "QUEUE", "", "LAST MINUTE", "SYN", "DROPS", "OLDEST", "STATE")
    ]
    assert "DROPS" not in titles(110)
    assert titles(80) == ["LISTENER", "OWNER", "QUEUE", "", "STATE"]
    assert titles(20) == ["LISTENER", "OWNER", "QUEUE", "", "STATE"]


def test_netns_stands_where_there_is_another_than_that_of_the_host() -> None:
    assert "NETNS" in titles(150, "pod")
    assert "NETNS" not in titles(150)


def test_cells_are_cut_to_their_widths() -> None:
    fitting = columns.columns([FULL], 80)
    widths = columns.widths(fitting, 80)
    long = waiting(10, address="/" + "x" * 200, port="", process="y" * 60, state="full")
    cells = columns.cells(fitting, widths, long, [])
    assert all(table.width(cell) <= width for cell, width in zip(cells, widths, strict=True))
    assert cells[2:] == ("10/9", "████████", "full")


def test_the_minute_is_a_line_of_bars() -> None:
    fitting = columns.columns([FULL], 150)
    cells = columns.cells(fitting, columns.widths(fitting, 150), FULL, [0.0, 0.01, 0.5, 1.0, 7.0])
    assert " ▁▄██" in cells


def test_what_is_not_known_has_no_bar() -> None:
    unknown = listener(accept_utilization_ratio=None, accept_length=None, accept_limit=None, state=None)
    fitting = columns.columns([unknown], 80)
    cells = columns.cells(fitting, columns.widths(fitting, 80), unknown, [])
    assert cells[2:] == ("-/-", "", "unknown")
