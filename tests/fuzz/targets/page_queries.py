"""The query of a request for one of the pages for people."""

from __future__ import annotations

from contextlib import suppress
from html.parser import HTMLParser

from exporter.api.query import ListenerQuery, QueryError
from exporter.status_page import listener_name
from exporter.status_page.details_query import DetailsQuery, DetailsQueryError
from exporter.status_page.listener_table import search_form
from exporter.status_page.search import Search, SearchError
from tests.fuzz.target import Target


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, _attributes: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)


def run(data: bytes) -> None:
    """Read it as each of them does; what it names adds no element to a page."""
    query = data.decode("latin-1")
    with suppress(QueryError):
        ListenerQuery.parse(query)
    with suppress(SearchError):
        search = Search.parse(query)
        hidden = ["input"] if search.order != "worst" else []
        assert _Tags(search_form(search)).found == ["form", "label", "input", *hidden, "button"]
        assert Search.parse(search.link(search.order).partition("?")[2]) == search
    with suppress(DetailsQueryError):
        wanted = DetailsQuery.parse(query)
        assert _Tags(listener_name.link(wanted.labels)).found == ["a", "bdi"]


TARGET = Target(
    run,
    max_bytes=4096,
    words=(b"search=", b"sort=", b"peak", b"&", b"netns=", b"address=", b"%3C", b"%22", b"<", b'"', b"%ff"),
)
