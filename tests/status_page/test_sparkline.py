"""Queues as shapes of SVG."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.status_page.sparkline import area, bar, chart, sparkline
from tests.status_page.test_markup import Parsed


@pytest.mark.parametrize(
    ("ratios", "path"),
    [
        ([], ""),
        ([None, None], ""),
        ([0.0, 0.0], "M0 10V10H2V10Z"),
        ([0.0, 1.0, 0.5, 0.5], "M0 10V10H1V0H2V5H4V10Z"),
        ([None, 0.5, None, 0.2], "M1 10V5H2V10ZM3 10V8H4V10Z"),
        # One connection in a long queue is seen, and more than full stays inside.
        ([0.0001, 1.5], "M0 10V9H1V0H2V10Z"),
    ],
)
def test_area(ratios: list[float | None], path: str) -> None:
    assert area(ratios, 10) == path


@given(st.lists(st.none() | st.floats(0, 2)))
def test_an_area_is_made_of_whole_shapes(ratios: list[float | None]) -> None:
    path = area(ratios, 24)
    assert path.count("M") == path.count("Z")


def test_a_sparkline_says_what_it_shows() -> None:
    ((tag, attributes), *_) = Parsed(sparkline([0.0, 1.0], "at most <100%>")).tags
    assert (tag, attributes["role"], attributes["aria-label"]) == ("svg", "img", "at most <100%>")
    assert attributes["class"] == "spark full"


def test_a_chart_has_its_thresholds() -> None:
    lines = [each for tag, each in Parsed(chart([0.0], "", [("warning", 0.5)])).tags if tag == "line"]
    assert [(line["class"], line["y1"], line["y2"]) for line in lines] == [
        ("threshold warning", "50.0", "50.0")
    ]


@pytest.mark.parametrize(
    ("ratio", "width"), [(None, "0"), (0.0, "0"), (0.001, "1"), (0.63, "63"), (2.0, "100")]
)
def test_bar(ratio: float | None, width: str) -> None:
    (_, rectangle) = Parsed(bar(ratio, "ok")).tags
    assert rectangle[1]["width"] == width


def test_no_shape_has_a_style_which_the_policy_of_the_page_would_block() -> None:
    for made in (bar(0.5, "ok"), sparkline([0.5, None], ""), chart([0.5], "", [("critical", 0.9)])):
        assert all("style" not in attributes for _, attributes in Parsed(made).tags)
