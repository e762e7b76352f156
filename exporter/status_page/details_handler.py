"""Serves the page about a listener, and with it who waits as often as there is processor time for that."""

from __future__ import annotations

from concurrent.futures import Executor

from exporter.status_page.details_page import DetailsPage
from exporter.status_page.details_query import DetailsQuery, DetailsQueryError
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.threaded import ThreadedHandler


class DetailsHandler:
    """Serves the page at once, without clients where they cannot be found now; then it says so.

    That is while others wait for theirs, so that a hundred who look at the page cost no more than one, and
    where the part of processor time for it is used up.
    """

    def __init__(
        self, page: DetailsPage, executor: Executor, allowance: CpuAllowance, lists_allowance: CpuAllowance
    ) -> None:
        """Pages are made in `executor` and charged to `allowance`, with clients to `lists_allowance` too."""
        self._page = ThreadedHandler(page.respond, executor, allowance)
        self._page_with_clients = ThreadedHandler(page.respond_with_clients, executor, allowance)
        self._lists_allowance = lists_allowance
        self._finding = False

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Return the page, 404 where nothing is known of the listener, or 400 for a wrong query."""
        if self._finding or not _asks_for_clients(request.query) or not self._lists_allowance.available:
            return await self._page.handle(request)
        self._finding = True
        try:
            return await self._page_with_clients.handle(request, self._lists_allowance)
        finally:
            self._finding = False


def _asks_for_clients(query: str) -> bool:
    try:
        return DetailsQuery.parse(query).clients is not None
    except DetailsQueryError:
        return False
