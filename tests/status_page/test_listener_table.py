"""The table of listeners."""

from __future__ import annotations

from typing import Any

from exporter.api.overview import Overview
from exporter.status_page.listener_table import listener_table, search_form
from exporter.status_page.search import Search
from tests.listeners.sockets import tcp
from tests.sampling.simulation import Simulation
from tests.status_page.shown_host import MARKUP, PROCESS, busy, quiet
from tests.status_page.test_markup import Parsed


def table(made: Simulation, search: Search = Search(), max_rows: int = 100) -> Parsed:  # noqa: B008
    document: dict[str, Any] = Overview(made.sampler, made.clock.clock(), max_rows).document(
        search.words, search.order
    )
    return Parsed(listener_table(document, search))


def test_each_listener_has_a_row_with_a_bar_and_a_sparkline() -> None:
    tags = table(busy()).tags
    rows = [each for tag, each in tags if tag == "tr"][1:]
    assert [row["class"] for row in rows[:4]] == ["full", "warning", "unknown", "ok"]
    assert len(rows) == 20
    pictures = [each for tag, each in tags if tag == "svg"]
    assert len(pictures) == 40
    assert pictures[0]["class"] == "bar full"
    assert pictures[1]["aria-label"] == "at most 100% in the last 10 minutes"


def test_names_are_text() -> None:
    parsed = table(busy())
    assert f"@{MARKUP.decode()}" in parsed.text
    assert PROCESS.decode() in parsed.text
    assert {tag for tag, _ in parsed.tags}.isdisjoint({"img", "script", "b"})


def test_a_heading_sorts_and_says_how_it_is_sorted() -> None:
    tags = table(busy(), Search("tcp", "name")).tags
    headings = [each for tag, each in tags if tag == "th"]
    assert [each.get("aria-sort") for each in headings][:4] == [None, "ascending", None, None]
    links = [each["href"] for tag, each in tags if tag == "a"]
    assert "./?search=tcp&sort=peak" in links
    assert "./?search=tcp" in links


def test_what_is_left_out_is_told() -> None:
    made = quiet()
    made.kernel.tcp.open(*(tcp(10 + port, "10.0.0.2", port) for port in range(1, 100)), limit=9)
    made.run_for(2.0)
    assert "81 listeners more are not shown; the search finds them." in table(made, max_rows=20).text
    assert "1 listener more is not shown; the search finds it." in table(made, max_rows=100).text


def test_a_search_says_how_many_it_has_found() -> None:
    text = table(busy(), Search("<nothing>")).text
    assert "0 listeners of 20 with <nothing> in a name; show all." in text


def test_where_nothing_is_recorded_it_says_so() -> None:
    assert "recorder: {enabled: false}" in table(busy("recorder: {enabled: false}")).text
    assert "Only the last 1 min are recorded" in table(busy("recorder: {window: 1m}")).text


def test_the_form_keeps_search_and_order() -> None:
    tags = Parsed(search_form(Search('"a"', "peak"))).tags
    inputs = {each["name"]: each["value"] for tag, each in tags if tag == "input"}
    assert inputs == {"search": '"a"', "sort": "peak"}
    assert [each["for"] for tag, each in tags if tag == "label"] == ["search"]
