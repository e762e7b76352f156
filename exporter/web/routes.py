"""Which path answers what."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus

from exporter.web import landing
from exporter.web.response import HttpResponse
from exporter.web.scrape import ScrapeHandler
from exporter.web.site import HEALTHY_PATH, LANDING_PATH, READY_PATH, RELOAD_PATH, Site

_log = logging.getLogger("exporter.web")

_READ = ("GET", "HEAD")
_CHANGE = ("POST",)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What routes look at in a request; absent headers are None."""

    method: str
    path: str
    accept: str | None
    accept_encoding: str | None


_Answer = Callable[[HttpRequest, ExitStack], Awaitable[HttpResponse]]


class Routes:
    """The table of paths; used from one event loop."""

    def __init__(self, site: Site) -> None:
        """Build the table; the site has checked that no path is there twice."""
        self._site = site
        self._scrapes = ScrapeHandler(site)
        self._landing = landing.page(site)
        self._reloading = asyncio.Lock()
        self._table: dict[str, tuple[tuple[str, ...], _Answer]] = {
            LANDING_PATH: (_READ, self._answer_landing),
            HEALTHY_PATH: (_READ, self._answer_healthy),
            READY_PATH: (_READ, self._answer_ready),
            RELOAD_PATH: (_CHANGE, self._answer_reload),
            site.telemetry_path: (_READ, self._answer_metrics),
        }

    async def answer(self, request: HttpRequest, held: ExitStack) -> HttpResponse:
        """Answer any request; never raises on account of what a route does.

        What must last until the client has the body is entered into `held`.
        """
        if request.path not in self._table:
            text = f"there is nothing here; metrics are at {self._site.telemetry_path}"
            return HttpResponse.text(HTTPStatus.NOT_FOUND, text)
        methods, answer = self._table[request.path]
        if request.method not in methods:
            allowed = ", ".join(methods)
            text = f"this page answers {allowed} only"
            return HttpResponse.text(HTTPStatus.METHOD_NOT_ALLOWED, text, Allow=allowed)
        try:
            return await answer(request, held)
        except Exception:  # noqa: BLE001  (logged with its traceback; one request must not end the server)
            _log.exception("cannot answer a request", extra={"fields": {"path": request.path}})
            text = "the request failed; the exporter's log says why"
            return HttpResponse.text(HTTPStatus.INTERNAL_SERVER_ERROR, text)

    async def _answer_metrics(self, request: HttpRequest, held: ExitStack) -> HttpResponse:
        return await self._scrapes.answer(request.accept, request.accept_encoding, held)

    async def _answer_landing(self, _request: HttpRequest, _held: ExitStack) -> HttpResponse:
        headers = {"Content-Security-Policy": landing.CONTENT_SECURITY_POLICY}
        return HttpResponse(HTTPStatus.OK, self._landing, "text/html; charset=utf-8", headers)

    async def _answer_healthy(self, _request: HttpRequest, _held: ExitStack) -> HttpResponse:
        return HttpResponse.text(HTTPStatus.OK, "healthy")

    async def _answer_ready(self, _request: HttpRequest, _held: ExitStack) -> HttpResponse:
        if self._site.ready():
            return HttpResponse.text(HTTPStatus.OK, "ready")
        return HttpResponse.text(HTTPStatus.SERVICE_UNAVAILABLE, "not ready: no sample yet")

    async def _answer_reload(self, _request: HttpRequest, _held: ExitStack) -> HttpResponse:
        if not self._site.lifecycle:
            text = "reloading over HTTP is off; send SIGHUP, or start with --web.enable-lifecycle"
            return HttpResponse.text(HTTPStatus.FORBIDDEN, text)
        async with self._reloading:
            error = await asyncio.to_thread(self._site.reload)
        if error is None:
            return HttpResponse.text(HTTPStatus.OK, "reloaded")
        return HttpResponse.text(HTTPStatus.INTERNAL_SERVER_ERROR, error)
