"""The table of listeners, with the search and the links that sort it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from exporter.api.figures import UNKNOWN, counted, duration, number, percent
from exporter.api.overview import WINDOW_SECONDS
from exporter.status_page import listener_name
from exporter.status_page.health import badge
from exporter.status_page.markup import Markup, element, joined
from exporter.status_page.search import DEFAULT_ORDER, MAX_SEARCH_LENGTH, Search
from exporter.status_page.sparkline import bar, sparkline

Document = Mapping[str, Any]
_MINUTES: Final = f"{WINDOW_SECONDS / 60:.0f} minutes"


class _Column(NamedTuple):
    """A column: its title, its class, and the order that its title sorts by, none where that is empty."""

    title: str
    class_: str
    order: str = ""


_COLUMNS: Final = (
    _Column("State", "state", DEFAULT_ORDER),
    _Column("Listener", "listener", "name"),
    _Column("Process", "process", "process"),
    _Column("Accept queue now", "now", "now"),
    _Column("Peak", "peak", "peak"),
    _Column(f"Last {_MINUTES}", "history"),
    _Column("Oldest wait", "wait"),
    _Column("Half-open", "half-open"),
    _Column("Drops", "drops"),
)
_ASCENDING: Final = frozenset({"name", "process"})


def search_form(search: Search) -> Markup:
    """Return the form; the order stays what it is."""
    return element(
        "form",
        element("label", "Search", for_="search"),
        element(
            "input",
            id="search",
            name="search",
            type="search",
            value=search.text,
            maxlength=MAX_SEARCH_LENGTH,
            autocomplete="off",
            spellcheck="false",
            placeholder="address, port, program, unit, pod",
        ),
        element("input", type="hidden", name="sort", value=search.order)
        if search.order != DEFAULT_ORDER
        else None,
        element("button", "Search"),
        role="search",
        method="get",
        action="./",
    )


def listener_table(document: Document, search: Search) -> Markup:
    """Return the section with the table and what it leaves out."""
    rows = document["listeners"]
    return element(
        "section",
        element("h2", "Listeners", id="listeners"),
        *(element("p", note, class_="note") for note in _notes(document, search)),
        _table(document, search) if rows else None,
        aria_labelledby="listeners",
    )


def _notes(document: Document, search: Search) -> Iterator[Markup | str]:
    found, shown = document["found"], len(document["listeners"])
    if search.text:
        everything = element("a", "show all", href=Search(order=search.order).link(search.order))
        yield joined(
            f"{counted(found, 'listener')} of {number(sum(document['counts'].values()))} with ",
            element("q", listener_name.isolated(search.text)),
            " in a name; ",
            everything,
            ".",
        )
    if found > shown:
        more = counted(found - shown, "listener more is", "listeners more are")
        yield f"{more} not shown; the search finds {'it' if found - shown == 1 else 'them'}."
    if search.order != DEFAULT_ORDER:
        yield element("a", "Worst first", href=search.link(DEFAULT_ORDER))
    recorder = document["recorder"]
    if not recorder["enabled"]:
        yield "No peak is recorded: the configuration has recorder: {enabled: false}."
    elif recorder["window_seconds"] < WINDOW_SECONDS:
        yield f"Only the last {duration(recorder['window_seconds'])} are recorded (recorder.window)."
    if recorder["dropped_changes"]:
        yield "Older changes of the fastest queues were dropped; recorder.max_mebibytes allows no more."


def _table(document: Document, search: Search) -> Markup:
    # The roles are said: on a narrow screen the style sheet makes a row a block of its own.
    return element(
        "table",
        element(
            "thead",
            element("tr", *(_heading(column, search) for column in _COLUMNS), role="row"),
            role="rowgroup",
        ),
        element("tbody", *(_row(row) for row in document["listeners"]), role="rowgroup"),
        role="table",
        aria_labelledby="listeners",
    )


def _heading(column: _Column, search: Search) -> Markup:
    sorted_by = column.order and column.order == search.order
    direction = "ascending" if column.order in _ASCENDING else "descending"
    return element(
        "th",
        element("a", column.title, href=search.link(column.order)) if column.order else column.title,
        class_=column.class_,
        scope="col",
        role="columnheader",
        aria_sort=direction if sorted_by else None,
    )


def _row(row: Document) -> Markup:
    state, syn_queue = row["state"] or UNKNOWN, row["has_syn_queue"]
    cells = (
        badge(row["state"]),
        joined(listener_name.link(row), _stale(row)),
        listener_name.process(row),
        _now(row, state),
        _peak(row),
        _history(row),
        duration(row["accept_oldest_wait_seconds"]) if syn_queue and row["accept_length"] else "",
        number(row["syn_recv"]) if syn_queue else "",
        number(row["drops_total"]) if syn_queue else "",
    )
    return element(
        "tr",
        *(_cell(column, cell) for column, cell in zip(_COLUMNS, cells, strict=True)),
        role="row",
        class_=state,
    )


def _cell(column: _Column, content: str | None) -> Markup:
    # On a narrow screen the title of the column stands before the figure.
    return element("td", content, class_=column.class_, role="cell", data_title=column.title)


def _stale(row: Document) -> Markup | None:
    return element("span", " (stale path)", class_="note") if row["stale_path"] else None


def _now(row: Document, state: str) -> Markup:
    ratio = row["accept_utilization_ratio"]
    length, limit = row["accept_length"], row["accept_limit"]
    figures = None if length is None else f" {number(length)}, backlog {number(limit)}"
    return joined(bar(ratio, state), percent(ratio), element("span", figures, class_="length"))


def _peak(row: Document) -> Markup | str:
    if row["spans"] is None:
        return ""
    length = (
        element("span", f" {number(row['peak_length'])}", class_="length") if row["peak_length"] else None
    )
    return joined(percent(row["peak_ratio"]), length)


def _history(row: Document) -> Markup | str:
    if row["spans"] is None:
        return ""
    return sparkline(row["spans"], f"at most {percent(row['peak_ratio'])} in the last {_MINUTES}")
