"""The metrics page: format, encoding, and how many scrapes are served at the same time."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Final

from exporter.web.negotiation import accepts_gzip, negotiate
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.response_limit import ResponseLimit
from exporter.web.shared_pages import SharedPages

# A scrape is to be served within a second or not at all.
_WAIT_SECONDS: Final = 0.7

_log = logging.getLogger("exporter.web")


class ScrapeHandler:
    """Serves the metrics page to at most `max_requests` clients at the same time; 0 is no limit.

    Others wait for `wait_seconds` before they are told to come again.
    """

    def __init__(self, pages: SharedPages, *, max_requests: int, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._pages = pages
        self._max_requests = max_requests
        self._response_limit = ResponseLimit(max_requests)
        self._wait_seconds = wait_seconds

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Return the page in the format and encoding that the client accepts, or 503 above the limit.

        A scrape counts from when there is a page until its client has it. Those who wait for the same page
        wait for one piece of work, and a client that takes nothing takes no place from others.
        """
        headers = request.headers
        page_format = negotiate(headers.get("accept"))
        compressed = accepts_gzip(headers.get("accept-encoding"))
        try:
            page = await self._pages.newest(page_format, compressed=compressed)
            body = await self._pages.compressed(page) if compressed else page.text
        except Exception:  # noqa: BLE001  (logged with its traceback; one page must not end the server)
            _log.exception("cannot render the metrics page")
            text = "cannot render the metrics page; the exporter's log says why"
            return HttpResponse.text(HTTPStatus.INTERNAL_SERVER_ERROR, text)
        if not await self._response_limit.take(request.delivery, self._wait_seconds):
            allowed = f"{self._max_requests} scrapes are in flight, and --web.max-requests allows no more"
            return HttpResponse.busy(f"{allowed}; try again later")
        request.delivery.until_sent.enter_context(self._pages.read_by(page, request.delivery))
        encoding = {"Content-Encoding": "gzip"} if compressed else {}
        varies = {"Vary": "Accept, Accept-Encoding"}
        return HttpResponse(HTTPStatus.OK, body, page_format.content_type, varies | encoding)
