"""Whether the process responds, and whether there is a sample to serve."""

from __future__ import annotations

from http import HTTPStatus
from typing import Protocol

from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse


class Readiness(Protocol):
    """Knows whether there is a fresh sample to serve."""

    def ready(self) -> bool:
        """Return whether there is; called in the event loop, so it must not block, on a lock neither."""
        ...


class HealthyHandler:
    """Responds 200 as long as the event loop runs."""

    async def handle(self, _request: HttpRequest) -> HttpResponse:
        """Return 200."""
        return HttpResponse.text(HTTPStatus.OK, "healthy")


class ReadyHandler:
    """Responds 503 while there is no fresh sample to serve."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    async def handle(self, _request: HttpRequest) -> HttpResponse:
        """Return 200 or 503."""
        if self._readiness.ready():
            return HttpResponse.text(HTTPStatus.OK, "ready")
        return HttpResponse.busy("not ready: there is no fresh sample")
