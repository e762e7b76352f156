"""The metrics page: format, encoding, and how many scrapes are served at the same time."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Protocol

from exporter.web.negotiation import Format, accepts_gzip, negotiate
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse

_log = logging.getLogger("exporter.web")

# Level 1 is several times faster than the default and still makes a page of metrics ten times smaller.
_COMPRESS_LEVEL = 1


class MetricsPage(Protocol):
    """Writes the page."""

    def write(self, *, openmetrics: bool) -> bytes:
        """Return the page in OpenMetrics 1.0 or in text format 0.0.4; called in several threads at once."""
        ...


class ScrapeHandler:
    """Serves the metrics page to at most `max_requests` clients at the same time; 0 is no limit."""

    def __init__(self, page: MetricsPage, *, max_requests: int) -> None:
        self._page = page
        self._max_requests = max_requests
        self._in_flight = 0

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Return the page in the format and encoding that the client accepts, or 503 above the limit.

        A scrape counts until the client has the whole response, so a slow reader counts as well.
        """
        limit = self._max_requests
        if limit and self._in_flight >= limit:
            text = f"{limit} scrapes are in flight, and --web.max-requests allows no more; try again later"
            return HttpResponse.text(HTTPStatus.SERVICE_UNAVAILABLE, text)
        request.until_sent.enter_context(self._counted())
        page_format = negotiate(request.accept)
        compressed = accepts_gzip(request.accept_encoding)
        try:
            body = await asyncio.to_thread(self._body, page_format, compressed=compressed)
        except Exception:  # noqa: BLE001  (logged with its traceback; one page must not end the server)
            _log.exception("cannot render the metrics page")
            text = "cannot render the metrics page; the exporter's log says why"
            return HttpResponse.text(HTTPStatus.INTERNAL_SERVER_ERROR, text)
        headers = {"Vary": "Accept, Accept-Encoding"}
        if compressed:
            headers["Content-Encoding"] = "gzip"
        return HttpResponse(HTTPStatus.OK, body, page_format.content_type, headers)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1

    def _body(self, page_format: Format, *, compressed: bool) -> bytes:
        body = self._page.write(openmetrics=page_format is Format.OPENMETRICS)
        # With mtime=0 gzip.compress is a single call into zlib, which releases the interpreter lock.
        return gzip.compress(body, _COMPRESS_LEVEL, mtime=0) if compressed else body
