"""Reloading the configuration over HTTP."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Protocol

from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse


class Reloader(Protocol):
    """Reads the configuration file again."""

    def reload(self) -> str | None:
        """Return None when the new configuration is in force, else what is wrong with it.

        Called in a worker thread, never twice at the same time by one ReloadHandler.
        """
        ...


class ReloadHandler:
    """Reloads, one request after the other, or responds 403 where that is not enabled."""

    def __init__(self, reloader: Reloader, *, enabled: bool) -> None:
        self._reloader = reloader
        self._enabled = enabled
        self._lock = asyncio.Lock()

    async def handle(self, _request: HttpRequest) -> HttpResponse:
        """Return 200, 403, or 500 with the errors of the configuration."""
        if not self._enabled:
            text = "reloading over HTTP is off; send SIGHUP, or start with --web.enable-lifecycle"
            return HttpResponse.text(HTTPStatus.FORBIDDEN, text)
        async with self._lock:
            error = await asyncio.to_thread(self._reloader.reload)
        if error is None:
            return HttpResponse.text(HTTPStatus.OK, "reloaded")
        return HttpResponse.text(HTTPStatus.INTERNAL_SERVER_ERROR, error)
