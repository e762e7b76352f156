"""The metrics page: rendered and compressed beside the event loop, for so many clients at once."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus

from exporter.web.negotiation import Format, accepts_gzip, negotiate
from exporter.web.response import HttpResponse
from exporter.web.site import Site

_log = logging.getLogger("exporter.web")

# Level 1 is several times faster than the default and still makes a page of metrics ten times smaller.
_COMPRESS_LEVEL = 1


class ScrapeHandler:
    """Answers scrapes and counts those in flight; used from one event loop."""

    def __init__(self, site: Site) -> None:
        """Nothing is rendered before the first scrape."""
        self._site = site
        self._in_flight = 0

    async def answer(self, accept: str | None, accept_encoding: str | None, held: ExitStack) -> HttpResponse:
        """Render the page as the client wants it.

        The scrape counts as in flight until `held` is closed, which is the caller's task once the client has
        the body: a client that reads slowly takes a place as well.
        """
        limit = self._site.max_requests
        if limit and self._in_flight >= limit:
            text = f"{limit} scrapes are in flight, and --web.max-requests allows no more; try again later"
            return HttpResponse.text(HTTPStatus.SERVICE_UNAVAILABLE, text)
        held.enter_context(self._place())
        page_format = negotiate(accept)
        compressed = accepts_gzip(accept_encoding)
        try:
            body = await asyncio.to_thread(_page, self._site, page_format, compressed=compressed)
        except Exception:  # noqa: BLE001  (logged with its traceback; one page must not end the server)
            _log.exception("cannot render the metrics page")
            text = "cannot render the metrics page; the exporter's log says why"
            return HttpResponse.text(HTTPStatus.INTERNAL_SERVER_ERROR, text)
        headers = {"Vary": "Accept, Accept-Encoding"}
        if compressed:
            headers["Content-Encoding"] = "gzip"
        return HttpResponse(HTTPStatus.OK, body, page_format.content_type, headers)

    @contextmanager
    def _place(self) -> Iterator[None]:
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1


def _page(site: Site, page_format: Format, *, compressed: bool) -> bytes:
    body = site.render(page_format)
    # With a time stamp of 0 the page is one call into zlib, which leaves the interpreter to others meanwhile.
    return gzip.compress(body, _COMPRESS_LEVEL, mtime=0) if compressed else body
