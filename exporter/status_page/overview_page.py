"""The page at `/`: health, what is over its threshold, and every listener."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from exporter.api.figures import duration
from exporter.api.overview import Overview
from exporter.status_page import html_page
from exporter.status_page.health import health, overall_state
from exporter.status_page.html_page import Site
from exporter.status_page.listener_table import listener_table, search_form
from exporter.status_page.markup import element, joined
from exporter.status_page.search import Search, SearchError
from exporter.web.response import HttpResponse


class OverviewPage:
    """Makes the page of a site; `reload_failed` tells whether the newest configuration is not in force."""

    def __init__(self, overview: Overview, site: Site, reload_failed: Callable[[], bool]) -> None:
        self._overview = overview
        self._site = site
        self._reload_failed = reload_failed

    def respond(self, query: str) -> HttpResponse:
        """Return the page, or 400 and a line that says what is wrong with the query."""
        try:
            search = Search.parse(query)
        except SearchError as error:
            return HttpResponse.text(HTTPStatus.BAD_REQUEST, str(error))
        return html_page.respond(self._site, lambda: self._content(search), search_form(search))

    def _content(self, search: Search) -> html_page.Content:
        document = self._overview.document(search.words, search.order)
        interval = duration(document["interval_seconds"])
        _, text = overall_state(document)
        return html_page.Content(
            title=text,
            time=document["time"],
            main=joined(
                health(document, reload_failed=self._reload_failed()),
                listener_table(document, search),
                element(
                    "p",
                    f"Sampled every {interval}. Grey: time in which a listener was not seen.",
                    class_="note",
                ),
            ),
        )
