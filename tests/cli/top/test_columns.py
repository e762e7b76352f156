"""Columns of `top` at every width."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from exporter.cli import table
from exporter.cli.show.listener import ShownListener
from exporter.cli.top import columns
from tests.cli.show.rows import listener, waiting

FULL = waiting(10, state="full")


def titles(width: int, netns: str = "host") -> list[str]:
    return [each.title for each in columns.layout([listener(netns=netns)], width).columns]


def cells(found: ShownListener, width: int, shares: Sequence[float] = ()) -> tuple[str, ...]:
    return columns.cells(columns.layout([found], width), found, shares)


@pytest.mark.parametrize("width", [60, 78, 80, 100, 132, 200])
def test_they_fill_the_width_and_no_more(width: int) -> None:
    layout = columns.layout([FULL], width)
    assert width - len(layout.columns) <= sum(each + 2 for each in layout.widths) <= width


@pytest.mark.parametrize("width", [40, 78, 130])
@pytest.mark.parametrize(("length", "limit"), [(1234, 16384), (65536, 65535), (4_294_967_295, 4_294_967_295)])
def test_figures_are_never_cut(width: int, length: int, limit: int) -> None:
    many = {"syn_recv": 123_456_789, "drops_total": 123_456_789, "state": "critical"}
    crowded = waiting(length, limit, accept_oldest_wait_seconds=8e8, **many)
    layout = columns.layout([listener(), crowded], width)
    shown = columns.cells(layout, crowded, [])
    assert f"{length}/{limit}" in shown
    assert "critical" in shown
    assert not any("..." in cell for cell in shown[2:])
    assert all(table.width(cell) <= space for cell, space in zip(shown, layout.widths, strict=True))


def test_a_terminal_of_80_columns_has_the_line_of_the_last_minute() -> None:
    # The scroll bar takes two columns.
    assert columns.layout([FULL], 78).minute >= 8
    assert columns.layout([FULL], 130).minute == 20
    assert columns.layout([FULL], 30).minute == 0


def test_the_least_important_are_left_out_first() -> None:
    assert titles(200, "pod") == [
        *("LISTENER", "NETNS", "OWNER", "QUEUE", "", "MINUTE", "SYN", "DROPS", "OLDEST", "STATE")
    ]
    assert "DROPS" in titles(110)
    assert "DROPS" not in titles(95)
    assert titles(78) == ["LISTENER", "OWNER", "QUEUE", "", "MINUTE", "STATE"]
    assert titles(20) == ["LISTENER", "OWNER", "QUEUE", "", "STATE"]


def test_netns_stands_where_there_is_another_than_that_of_the_host() -> None:
    assert "NETNS" in titles(150, "pod")
    assert "NETNS" not in titles(150)


def test_names_are_cut_to_their_widths() -> None:
    long = waiting(10, address="/" + "x" * 200, port="", process="y" * 60, state="full")
    layout = columns.layout([long], 78)
    shown = columns.cells(layout, long, [])
    assert all(table.width(cell) <= width for cell, width in zip(shown, layout.widths, strict=True))
    assert shown[2:] == ("10/9", "████████", "", "full")


def test_the_minute_is_a_line_of_bars() -> None:
    assert " ▁▄██" in cells(FULL, 150, [0.0, 0.01, 0.5, 1.0, 7.0])


def test_what_is_not_known_has_no_bar() -> None:
    unknown = listener(accept_utilization_ratio=None, accept_length=None, accept_limit=None, state=None)
    assert cells(unknown, 78)[2:] == ("-/-", "", "", "unknown")
