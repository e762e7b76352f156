"""Finds the route of a request, and responds where there is none."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Protocol

from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.route import Route

_log = logging.getLogger("exporter.web")


class Responder(Protocol):
    """Responds to requests."""

    async def respond(self, request: HttpRequest) -> HttpResponse:
        """Return the response, whatever the request is; it raises nothing."""
        ...


class Router:
    """Routes by path; `not_found` is the text for any other path."""

    def __init__(self, routes: Sequence[Route], not_found: str) -> None:
        """Raises ValueError where two routes have the same path."""
        self._routes = {route.path: route for route in routes}
        if len(self._routes) < len(routes):
            raise ValueError("two routes have the same path")
        self._not_found = not_found

    async def respond(self, request: HttpRequest) -> HttpResponse:
        """Return the response of the route, or 404, 405, or 500 where its handler raises an exception."""
        route = self._routes.get(request.path)
        if route is None:
            return HttpResponse.text(HTTPStatus.NOT_FOUND, self._not_found)
        if request.method not in route.methods:
            allowed = ", ".join(route.methods)
            text = f"this page answers {allowed} only"
            return HttpResponse.text(HTTPStatus.METHOD_NOT_ALLOWED, text, Allow=allowed)
        try:
            return await route.handler.handle(request)
        except Exception:  # noqa: BLE001  (logged with its traceback; one request must not end the server)
            _log.exception("cannot answer a request", extra={"fields": {"path": request.path}})
            text = "the request failed; the exporter's log says why"
            return HttpResponse.text(HTTPStatus.INTERNAL_SERVER_ERROR, text)
